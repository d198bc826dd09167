// What is on its way into the tree, at the edge of every page.
import { useEffect, useSyncExternalStore } from "react";
import { Link, treeAddress } from "../app/router";
import { Icon } from "../ui/icons";
import { Button } from "../ui/parts";
import { bytes } from "../ui/time";
import { Transfer, cancel, current, dismiss, dismissDone, retry, subscribe } from "./uploads";

function words(one: Transfer): string {
  const percent = one.size === 0 ? 100 : Math.floor((one.sent / one.size) * 100);
  switch (one.state) {
    case "waiting": return "Waits for the others";
    case "sending": return `${percent} % of ${bytes(one.size)}${one.resumedAt ? `, went on at ${bytes(one.resumedAt)}` : ""}`;
    case "offline": return `Waits for the connection at ${percent} %`;
    case "finishing": return one.unpacks ? "Is being unpacked" : "Is being checked";
    case "done": return one.result ?? `${bytes(one.size)} in ${one.folder}`;
    case "failed": return one.problem ?? "It failed.";
  }
}

export function Uploads() {
  const transfers = useSyncExternalStore(subscribe, current);
  const isOver = transfers.length > 0 && transfers.every((one) => one.state === "done");
  const isShown = transfers.length > 0;
  // As other notices it goes by itself; not while somebody is at it, and not with something in it to be settled.
  useEffect(() => {
    if (!isOver) return undefined;
    const timer = setInterval(() => {
      if (!document.querySelector(".uploads:hover, .uploads:focus-within")) dismissDone();
    }, 8000);
    return () => clearInterval(timer);
  }, [isOver]);
  if (!isShown) return null;
  const open = transfers.filter((one) => one.state !== "done" && one.state !== "failed").length;
  return (
    <section className="uploads" aria-label="Uploads">
      <div className="uploads-head">
        <h2><span role="status">{open > 0 ? `Uploading ${open} ${open === 1 ? "file" : "files"}` : "Uploads have ended"}</span></h2>
        {open === 0 && <Button isSmall tone="quiet" icon="close" aria-label="Dismiss all" onClick={dismissDone} />}
      </div>
      <ul>{transfers.map((one) => <One key={one.id} one={one} />)}</ul>
    </section>
  );
}

function One({ one }: { one: Transfer }) {
  const isOpen = one.state !== "done" && one.state !== "failed";
  return (
    <li className={`upload ${one.state}`}>
      <div className="upload-text">
        <span className="upload-name">
          {one.object ? <Link to={treeAddress(one.object.path)}>{one.object.path.split("/").pop()}</Link> : one.name}
        </span>
        <span className="small soft upload-words">{words(one)}</span>
        {one.isInTheWay && <span><Button isSmall onClick={() => retry(one.id, true)}>Save new revisions</Button></span>}
        {isOpen && <progress max={Math.max(1, one.size)} value={one.sent} aria-label={`Upload of ${one.name}`} />}
      </div>
      {one.state === "done" && <Icon name="check" size={17} />}
      {one.state === "failed" && <Button isSmall tone="quiet" icon="refresh" aria-label={`Try ${one.name} again`} onClick={() => retry(one.id)} />}
      {isOpen
        ? <Button isSmall tone="quiet" icon="close" aria-label={`Stop the upload of ${one.name}`} onClick={() => cancel(one.id)} />
        : <Button isSmall tone="quiet" icon="close" aria-label={`Dismiss ${one.name}`} onClick={() => dismiss(one.id)} />}
    </li>
  );
}
