// Choosing something of the workspace's tree.
import { useState } from "react";
import { call, pages } from "../api/client";
import type { ObjectInfo } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { useSession } from "../app/session";
import { treeAddress, Link } from "../app/router";
import { Icon } from "../ui/icons";
import { Button, Dialog, Empty, Failure, Loading } from "../ui/parts";
import { At } from "./fields";

type ObjectType = ObjectInfo["object_type"];
const words: Record<ObjectType, string> = { NOTEBOOK: "notebook", FILE: "file", DIRECTORY: "folder" };

/** A path of the tree, written or chosen; says at once when nothing is there. */
export function PathField({ label, value, onChange, onPick, path, type, hint }: {
  label: string; value: string; onChange: (value: string) => void; path: string; type: "NOTEBOOK" | "FILE"; hint?: string;
  /** What becomes of a path that was chosen from the tree; otherwise as if it was written. */
  onPick?: (value: string) => void;
}) {
  const [isOpen, setOpen] = useState(false);
  const isPath = value.startsWith("/") && value.length > 1;
  const found = useQuery(isPath ? `object${value}` : null, (signal) => call("getObject", { path: value }, signal));
  const isMissing = isPath && found.error?.code === "RESOURCE_DOES_NOT_EXIST";
  const isOther = isPath && found.data?.path === value && found.data.object_type !== type;
  return (
    <>
      <At label={label} path={path} hint={isMissing ? <span className="warned">There is no {words[type]} at this path.</span>
        : isOther ? <span className="warned">This is a {words[found.data?.object_type ?? type]}, not a {words[type]}.</span>
          : isPath && found.data ? <Link to={treeAddress(value)}>Open it</Link> : hint}>
        {(id, more) => (
          <div className="row">
            <input id={id} className="input mono grow" value={value} placeholder="/Shared/…" autoComplete="off" spellCheck={false}
              onChange={(event) => onChange(event.target.value)} {...more} />
            <Button icon="folder" onClick={() => setOpen(true)} aria-label={`Choose the ${words[type]}`} aria-haspopup="dialog">Choose</Button>
          </div>
        )}
      </At>
      {isOpen && <Picker type={type} at={isPath ? value : undefined} onClose={() => setOpen(false)}
        onPick={(picked) => { (onPick ?? onChange)(picked); setOpen(false); }} />}
    </>
  );
}

/** Where somebody chose last: the next choice is often beside it. */
let lastFolder = "/Shared";

const above = (path: string) => path.slice(0, path.lastIndexOf("/")) || "/";

function Picker({ type, at, onClose, onPick }: { type: "NOTEBOOK" | "FILE"; at?: string; onClose: () => void; onPick: (path: string) => void }) {
  const { session } = useSession();
  const [folder, setFolder] = useState(at ? above(at) : lastFolder);
  const objects = useQuery(`list${folder}`, (signal) => pages<ObjectInfo>(async (token) => {
    const page = await call("listObjects", { path: folder, page_size: 200, page_token: token }, signal);
    return { items: page.objects, token: page.next_page_token };
  }));
  const parts = folder.split("/").filter(Boolean);
  const shown = objects.data?.filter((one) => one.object_type === "DIRECTORY" || one.object_type === type) ?? [];
  return (
    <Dialog title={`Choose a ${words[type]}`} onClose={onClose}>
      <div className="dialog-body">
        <nav className="row wrap" aria-label="Folders above">
          <Button isSmall tone="quiet" onClick={() => setFolder("/")}>Workspace</Button>
          {parts.map((part, index) => (
            <span key={index} className="row"><span aria-hidden="true">/</span>
              <Button isSmall tone="quiet" aria-current={index === parts.length - 1 || undefined}
                onClick={() => setFolder(`/${parts.slice(0, index + 1).join("/")}`)}>{part}</Button></span>
          ))}
          <span className="grow" />
          {["/Shared", `/Users/${session.user_name}`].filter((one) => one !== folder).map((one) => (
            <Button key={one} isSmall icon="folder" onClick={() => setFolder(one)}>{one === "/Shared" ? "Shared" : "Mine"}</Button>))}
        </nav>
        {objects.error && !objects.data ? <Failure error={objects.error} retry={objects.refresh} /> : !objects.data ? <Loading lines={4} /> : shown.length === 0 ? (
          <Empty icon={type === "NOTEBOOK" ? "notebook" : "file"} title={`There is no ${words[type]} in this folder`} />
        ) : (
          <ul className="list picker">{shown.map((one) => (
            <li key={one.object_id}>
              <button type="button" className="picker-row" onClick={() => {
                if (one.object_type === "DIRECTORY") { setFolder(one.path); return; }
                lastFolder = folder;
                onPick(one.path);
              }}>
                <Icon name={one.object_type === "DIRECTORY" ? "folder" : one.object_type === "NOTEBOOK" ? "notebook" : "file"} />
                <span className="name">{one.path.split("/").pop()}</span>
                {one.language && <span className="soft small">{one.language}</span>}
                {one.object_type === "DIRECTORY" && <Icon name="chevron" size={14} />}
              </button>
            </li>
          ))}</ul>
        )}
      </div>
    </Dialog>
  );
}
