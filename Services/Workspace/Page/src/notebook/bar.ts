// What sticks at the top covers what is scrolled to there: cells keep as much room as it is high.
import { RefObject, useLayoutEffect } from "react";

export function useRoomBelow(bar: RefObject<HTMLElement>): void {
  useLayoutEffect(() => {
    const element = bar.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => {
      element.parentElement?.style.setProperty("--bar-height", `${Math.round(element.offsetHeight)}px`);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [bar]);
}
