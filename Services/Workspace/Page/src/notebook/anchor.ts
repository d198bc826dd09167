// A cell has an address, `#cell-` and its id: what links to it, opens the notebook there.
import { useEffect, useState } from "react";
import { subscribe } from "../app/router";
import { isKeyboardFree } from "../ui/focus";
import { toast } from "../ui/toast";
import type { NotebookStore } from "./store";

function cellOfAddress(): string | undefined {
  const match = /^#cell-(.+)$/.exec(location.hash);
  try { return match?.[1] === undefined ? undefined : decodeURIComponent(match[1]); } catch { return undefined; }
}

/** Selects the cell that the address names, brings it into sight and gives it the keyboard: at first, and at every change. */
export function useCellOfAddress(store: NotebookStore): void {
  // An object of its own each time, for one may go to the same cell again.
  const [goal, setGoal] = useState<{ id: string }>();
  useEffect(() => {
    const look = () => {
      const id = cellOfAddress();
      if (id === undefined) return;
      if (!store.cell(id)) { toast("The cell of this address is not in the notebook any more."); return; }
      store.select(id);
      setGoal({ id });
    };
    look();
    return subscribe(look);
  }, [store]);
  useEffect(() => {
    const element = goal && document.getElementById(`cell-${goal.id}`);
    if (!element) return;
    element.scrollIntoView({ block: "center" });
    // Not from somebody who writes something else meanwhile.
    if (isKeyboardFree() || document.activeElement?.closest(".notebook")) element.focus({ preventScroll: true });
  }, [goal]);
}
