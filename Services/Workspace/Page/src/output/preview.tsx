// What stands for outputs that are not here: large ones until somebody wants to see them, and those of cells far away until
// they come near.
import { useContext, useEffect, useRef, useState } from "react";
import { Button } from "../ui/parts";
import { bytes } from "../ui/time";
import { Ansi } from "./ansi";
import { Charts, OutputPlace } from "./charts/kept";
import type { Omitted } from "./mime";
import { TableOutput } from "./table";

/** Pictures of fewer bytes come by themselves, and so do tables that are charted: a chart is of all their rows. */
const pictureLimit = 4_000_000;

/** About how high outputs will be that are on their way. */
export function heightOfWaiting(size: number): number { return Math.round(Math.min(400, 40 + size / 50)); }

/** What a bundle is, in a word. */
function kindOf({ types = [], outputs }: Omitted): string {
  if (outputs) return outputs === 1 ? "1 more output" : `${outputs.toLocaleString()} more outputs`;
  if (types.some((type) => type.includes("dataharbour.table"))) return "A table";
  if (types.some((type) => type.startsWith("image/"))) return "A picture";
  if (types.some((type) => type === "text/html" || type === "text/markdown" || type === "text/latex")) return "A view";
  return "An output";
}

export function OutputPreview({ about, name, load, onWanted }: {
  about: Omitted; name?: string; load?: (isWhole: boolean) => Promise<void>;
  /** Somebody wants to see all of it. */
  onWanted: () => void;
}) {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const element = useRef<HTMLDivElement>(null);
  const isPicture = about.types?.some((type) => type.startsWith("image/")) === true && about.bytes <= pictureLimit;
  const place = useContext(OutputPlace);
  const isCharted = useContext(Charts)?.of(place) !== undefined && about.table !== undefined && about.bytes <= pictureLimit;
  const comes = load !== undefined && (about.waits === true || isPicture || isCharted);
  const get = (isWhole: boolean) => {
    setBusy(true);
    setProblem(undefined);
    load?.(isWhole).catch((error: unknown) => setProblem(error instanceof Error ? error.message : String(error))).finally(() => setBusy(false));
  };
  useEffect(() => {
    const near = element.current?.closest(".cell-place") ?? element.current;
    if (!comes || !near) return undefined;
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      get(!about.waits);
    }, { rootMargin: "1000px 0px" });
    observer.observe(near);
    return () => observer.disconnect();
  }, [about, comes]);
  if (comes && !problem) {
    return <div ref={element} className="output-waits" style={{ minHeight: heightOfWaiting(about.bytes) }} aria-busy="true">{bytes(about.bytes)} on the way</div>;
  }
  return (
    <div ref={element} className={about.name === "stderr" ? "text-output error-stream" : "text-output"}>
      {about.table && <TableOutput table={about.table} name={name} />}
      {about.head && <pre><Ansi text={about.head} /></pre>}
      <div className="fold row wrap">
        {!about.head && !about.tail && !about.table && !about.waits && <span className="soft">{kindOf(about)}</span>}
        <Button isSmall isBusy={isBusy} onClick={() => { if (!about.waits) onWanted(); get(!about.waits); }}>{problem ? "Try again" : `Show all ${bytes(about.bytes)}`}</Button>
        {problem && <span className="soft" role="alert">{problem}</span>}
      </div>
      {about.tail && <pre><Ansi text={about.tail} /></pre>}
    </div>
  );
}
