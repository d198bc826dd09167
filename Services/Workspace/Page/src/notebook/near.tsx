// Cells far from what is seen are only text: a notebook of hundreds of cells opens and scrolls like a short one.
import { ReactNode, useEffect, useRef, useState } from "react";
import { Output, joined, tableOf } from "../output/mime";
import type { CellView } from "./store";

const watched = new WeakMap<Element, () => void>();
let observer: IntersectionObserver | undefined;

function watch(element: Element, whenNear: () => void): () => void {
  observer ??= new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) watched.get(entry.target)?.();
  }, { rootMargin: "1500px 0px" });
  watched.set(element, whenNear);
  observer.observe(element);
  return () => { watched.delete(element); observer?.unobserve(element); };
}

/** About how high an output will be, so that the page does not jump when it is shown. */
function height(output: Output): number {
  if (output.output_type === "stream") return Math.min(4000, joined(output.text).split("\n").length * 19);
  if (output.output_type === "error") return 100;
  const table = tableOf(output.data);
  if (table) return Math.min(480, 72 + table.rows.length * 29);
  return "text/plain" in output.data && Object.keys(output.data).length === 1 ? 40 : 300;
}

/** Shows its children from the moment they come near; before, the cell's text in their place. */
export function Near({ cell, isNearAtFirst, children }: { cell: CellView; isNearAtFirst: boolean; children: ReactNode }) {
  const [isNear, setNear] = useState(isNearAtFirst);
  const element = useRef<HTMLDivElement>(null);
  const isShown = isNear || isNearAtFirst;
  useEffect(() => { if (isNearAtFirst) setNear(true); }, [isNearAtFirst]);
  useEffect(() => {
    if (isShown || !element.current) return undefined;
    return watch(element.current, () => setNear(true));
  }, [isShown]);
  if (isShown) return <>{children}</>;
  return (
    <div ref={element} className="cell">
      <div className="cell-gutter" />
      <div className="cell-main">
        <pre className="cell-source">{cell.source}</pre>
        <div style={{ height: cell.outputs.reduce((sum, output) => sum + height(output), 0) }} />
      </div>
    </div>
  );
}
