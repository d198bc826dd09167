// Where a cell is, and that what somebody looks at stays there while outputs are collapsed or shown.
import { type ReactNode, useLayoutEffect, useRef } from "react";
import { flushSync } from "react-dom";

/** Places whose outputs were collapsed or shown just now. */
const changed = new Set<Element>();

/** A cell's place, as high as the cell will be while the browser leaves it out, or as it was when it did not. */
export function Place({ isEditing, isHidden, height, children }: { isEditing: boolean; isHidden: boolean; height: number; children: ReactNode }) {
  const element = useRef<HTMLDivElement>(null);
  const was = useRef(isHidden);
  useLayoutEffect(() => {
    if (was.current === isHidden || !element.current) return;
    was.current = isHidden;
    if (changed.size === 0) queueMicrotask(forgetHeights);
    changed.add(element.current);
  }, [isHidden]);
  return <div ref={element} className={isEditing ? "cell-place editing" : "cell-place"} style={{ containIntrinsicBlockSize: `auto ${height}px` }}>{children}</div>;
}

/** Has the browser forget how high cells far away were before, which it does while their content is hidden for good. */
function forgetHeights(): void {
  const far = [...changed].filter((place) => {
    const { top, bottom } = place.getBoundingClientRect();
    return bottom < -innerHeight || top > 2 * innerHeight;
  });
  changed.clear();
  if (far.length === 0) return;
  for (const place of far) place.classList.add("forgetting");
  far[0]?.getBoundingClientRect();
  for (const place of far) place.classList.remove("forgetting");
}

/** Below the bar that sticks, where it does. */
function topOfSight(): number {
  const bar = document.querySelector(".notebook-bar");
  return bar && getComputedStyle(bar).position === "sticky" ? bar.getBoundingClientRect().bottom : 0;
}

/** Makes a change of heights. The chosen cell stays where it is, or where that is out of sight the first one in sight. */
export function keepInPlace(selected: string | undefined, change: () => void): void {
  const top = topOfSight();
  // The places of cells and not the cells: to measure what is in one that is far away would lay it out.
  const isSeen = (place: Element) => place.getBoundingClientRect().bottom > top && place.getBoundingClientRect().top < innerHeight;
  const chosen = selected === undefined ? undefined : document.getElementById(`cell-${selected}`)?.closest(".cell-place");
  const place = chosen && isSeen(chosen) ? chosen : [...document.querySelectorAll(".cell-place")].find(isSeen);
  const before = place?.getBoundingClientRect().top ?? 0;
  const held = document.activeElement?.closest<HTMLElement>(".cell");
  flushSync(change);
  // What had the keyboard may be gone with the outputs.
  if (document.activeElement === document.body) held?.focus({ preventScroll: true });
  forgetHeights();
  if (!place) return;
  const after = place.getBoundingClientRect();
  // Of what began above, the end may now be above as well: then its beginning is shown.
  const isGone = before + after.height < top + 60;
  scrollBy(0, Math.round(after.top - (isGone ? top : before)));
}
