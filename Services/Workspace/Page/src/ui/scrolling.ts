// What scrolls sideways can be scrolled with the keyboard too.
import { useLayoutEffect, useRef } from "react";

/** How wide the widest line of each element is, as far as that can be told without laying it out, in pixels. */
const widths = new Map<Element, number>();
/** Of a letter of code, in pixels, and of what is around a line. */
const [letter, around] = [7.53, 24];
/** How wide they are, all of them. */
let room = Infinity;

/**
 * Told when the browser has laid something out: nothing is laid out for the sake of asking, as far away as it may be. What is
 * not laid out is as wide as what is, and is looked at again when it is laid out after all.
 */
const sizes = new ResizeObserver((entries) => {
  const now = entries[entries.length - 1]?.target.clientWidth ?? room;
  if (now !== room) {
    room = now;
    for (const [one, width] of widths) setStop(one, width > room);
  }
  for (const { target } of entries) setStop(target, target.scrollWidth > target.clientWidth);
});

function setStop(element: Element, isScrolling: boolean): void {
  if (isScrolling === element.hasAttribute("tabindex")) return;
  if (isScrolling) element.setAttribute("tabindex", "0");
  else element.removeAttribute("tabindex");
}

/** Makes an element a stop of the Tab key while it scrolls. Its text, which is code, says when to look again. */
export function useScrolling<T extends HTMLElement>(text: string) {
  const element = useRef<T>(null);
  useLayoutEffect(() => {
    const one = element.current;
    if (!one) return undefined;
    const width = text.split("\n").reduce((most, line) => Math.max(most, line.length), 0) * letter + around;
    widths.set(one, width);
    setStop(one, width > room);
    sizes.observe(one);
    return () => { sizes.unobserve(one); widths.delete(one); };
  }, [text]);
  return element;
}
