// What somebody asks for in a notebook, and what has to be answered first.
import { useCallback, useEffect, useRef, useState } from "react";
import type { RunScope } from "../api/generated/contract";
import { isKeyboardFree } from "../ui/focus";
import { toast } from "../ui/toast";
import type { Then } from "./keys";
import { readsWidget } from "./reading";
import type { Runner } from "./runner";
import type { NotebookStore } from "./store";

export type DialogName = "history" | "shortcuts" | "attach" | "restart" | "restart-run";

export interface Asking {
  dialog: DialogName | undefined;
  setDialog: (dialog: DialogName | undefined) => void;
  run: (scope: RunScope, ids?: string[]) => void;
  askRestart: (isRun: boolean) => void;
  /** The choice of a cluster is over. */
  closeChoice: (isChosen: boolean) => void;
}

/** @param cluster the one that the notebook is attached to, as far as it is known. */
export function useAsking(store: NotebookStore, runner: Runner, cluster: string | undefined): Asking {
  const [dialog, setDialog] = useState<DialogName>();
  // What was to be run when there was no cluster yet runs as soon as one is chosen.
  const wanted = useRef<(() => void) | undefined>();
  const run = useCallback((scope: RunScope, ids: string[] = []) => {
    runner.asked += 1;
    // What was asked for before it was known where is meant as well, and comes first.
    const before = wanted.current;
    const begin = () => { before?.(); void runner.run(scope, ids); };
    if (runner.state.cluster) { wanted.current = undefined; begin(); return; }
    wanted.current = begin;
    // When the cell that comes next has the keyboard: it is to have it again afterwards.
    setTimeout(() => { if (wanted.current === begin) setDialog("attach"); });
  }, [runner]);
  const askRestart = (isRun: boolean) => {
    runner.asked += 1;
    setDialog(isRun ? "restart-run" : "restart");
  };
  const closeChoice = (isChosen: boolean) => {
    setDialog(undefined);
    if (isChosen) wanted.current?.();
    wanted.current = undefined;
  };
  // Also when it was chosen already, and that was not known here yet.
  useEffect(() => { if (cluster && wanted.current) closeChoice(true); }, [cluster]);
  // What had the keyboard before a dialog may be gone with it: a cell that was run from its editor, for one.
  useEffect(() => {
    if (dialog || !isKeyboardFree()) return;
    const cell = document.getElementById(`cell-${store.state.selected}`);
    (cell?.querySelector<HTMLElement>(".editor textarea") ?? cell)?.focus({ preventScroll: true });
  }, [dialog, store]);
  return { dialog, setDialog, run, askRestart, closeChoice };
}

/** Runs the cells that read a widget, or the whole notebook where none is named. */
export function useRunOfReaders(store: NotebookStore, run: Asking["run"]): (widget?: string) => void {
  return useCallback((widget?: string) => {
    if (widget === undefined) { run("ALL"); return; }
    const readers = store.state.cells.filter((cell) => readsWidget(cell, store.language, widget));
    if (readers.length > 0) run("SELECTED", readers.map((cell) => cell.id));
    else toast(`No cell reads the widget ${widget}.`);
  }, [store, run]);
}

/** Runs cells, and goes where somebody wants to be then. */
export function useRunOfCells(store: NotebookStore, run: Asking["run"], mayEdit: boolean | undefined): (ids: string[], then: Then) => void {
  return useCallback((ids: string[], then: Then) => {
    const cells = ids.map((id) => store.cell(id));
    const last = cells[cells.length - 1];
    if (!last) return;
    const code = cells.flatMap((cell) => cell?.type === "code" && cell.source.trim() !== "" ? [cell.id] : []);
    if (code.length > 0) run("SELECTED", code);
    const at = store.index(last.id);
    if (then === "insert") store.insert(at + 1, {}, true);
    else if (then === "next") {
      const next = store.state.cells[at + 1];
      if (next) store.select(next.id);
      // Whoever may not change the notebook stays at its end: a cell more could not be saved, and nothing is run before.
      else if (mayEdit !== false) store.insert(at + 1, {}, true);
    } else store.select(last.id, last.type === "code" && store.state.editing === last.id);
  }, [store, run, mayEdit]);
}
