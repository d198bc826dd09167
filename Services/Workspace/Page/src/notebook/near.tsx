// Cells far from what is seen are only text: a notebook of hundreds of cells opens like a short one. While nothing else is to
// be done the others are made too, from those that are seen outward, so that who scrolls meets cells that are there. Until
// they come near, the browser neither lays them out nor paints them (`content-visibility`).
import { ReactNode, useEffect, useLayoutEffect, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { tableOf } from "../output/mime";
import type { CellView } from "./cells";

/** How many elements are made ahead at most: beyond that, cells are made when they come near. */
const elementLimit = 150_000;
/** What is left of a frame when a cell is begun, and how long cells are made at a stretch, in milliseconds. */
const leastTime = 6;
const mostTime = 12;

interface Waiting { index: number; elements: number; show: () => void }

const waiting = new Map<Element, Waiting>();
let made = 0;
/** Where somebody has looked at last: the index of a cell. */
let seen = 0;
let request: number | undefined;
let observer: IntersectionObserver | undefined;

function watch(element: Element, one: Waiting): () => void {
  observer ??= new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const near = entry.isIntersecting ? waiting.get(entry.target) : undefined;
      if (!near) continue;
      seen = near.index;
      near.show();
    }
  }, { rootMargin: "1500px 0px" });
  // Another notebook begins at its top.
  if (waiting.size === 0) seen = 0;
  waiting.set(element, one);
  observer.observe(element);
  ask();
  return () => { waiting.delete(element); observer?.unobserve(element); };
}

function ask(): void {
  // A browser without it makes cells when they come near.
  if (request === undefined && made < elementLimit && typeof requestIdleCallback === "function") request = requestIdleCallback(makeAhead);
}

/** Makes cells one by one, for as long as nobody waits for anything else. */
function makeAhead(deadline: IdleDeadline): void {
  request = undefined;
  const begin = performance.now();
  const next = [...waiting.values()].sort((one, other) => Math.abs(one.index - seen) - Math.abs(other.index - seen));
  for (const one of next) {
    if (made >= elementLimit) return;
    if (deadline.timeRemaining() < leastTime || performance.now() - begin > mostTime) { ask(); return; }
    flushSync(one.show);
  }
}

/** Paper has all cells. */
function makeAll(): void {
  flushSync(() => { for (const one of waiting.values()) one.show(); });
}

/** About how many elements a cell will be. */
function elementsOf(cell: CellView): number {
  return Math.round(cell.outputs.reduce((sum, output) => {
    const table = "data" in output ? tableOf(output.data) : undefined;
    return sum + 20 + (table ? Math.min(table.rows.length, 100) * (table.columns.length + 1) : 0);
  }, 25 + Math.min(cell.source.length, 60_000) / 12));
}

/**
 * Shows its children from the moment they are made; before, the cell's text in their place. That is as high as they will be: the
 * browser remembers how high it was for those who scroll by, and nothing moves when they are made in sight.
 */
export function Near({ cell, index, height, isNearAtFirst, children }: {
  cell: CellView; index: number; height: number; isNearAtFirst: boolean; children: ReactNode;
}) {
  const [isNear, setNear] = useState(isNearAtFirst);
  const element = useRef<HTMLDivElement>(null);
  const isShown = isNear || isNearAtFirst;
  const place = useRef<Waiting>();
  if (place.current) place.current.index = index;
  useEffect(() => { if (isNearAtFirst) setNear(true); }, [isNearAtFirst]);
  useLayoutEffect(() => {
    if (isShown || !element.current) return undefined;
    place.current = { index, elements: elementsOf(cell), show: () => setNear(true) };
    return watch(element.current, place.current);
  }, [isShown]);
  useLayoutEffect(() => {
    if (!isShown) return undefined;
    const elements = place.current?.elements ?? elementsOf(cell);
    made += elements;
    return () => { made -= elements; };
  }, [isShown]);
  if (isShown) return <>{children}</>;
  return (
    <div ref={element} className="cell" style={{ minHeight: height }}>
      <div className="cell-gutter" />
      <div className="cell-main"><pre className="cell-source">{cell.source}</pre></div>
    </div>
  );
}

/** Makes everything before the page is printed, for as long as a notebook is open. */
export function useAllOnPaper(): void {
  useLayoutEffect(() => {
    addEventListener("beforeprint", makeAll);
    return () => removeEventListener("beforeprint", makeAll);
  }, []);
}
