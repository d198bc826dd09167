// The keys of Jupyter's command mode: what they do with all cells that are selected.
import type { KeyboardEvent } from "react";
import { toast } from "../ui/toast";
import type { CellView } from "./cells";
import { copyCells, pasteCells } from "./clipboard";
import { hasOutputs, isFolded } from "./hidden";
import { keepInPlace } from "./place";
import type { NotebookStore } from "./store";

export interface Commands {
  store: NotebookStore;
  onRun: (ids: string[], then: Then) => void;
  interrupt: () => void;
  /** Nothing to restart without a cluster. */
  restart: (() => void) | undefined;
  showKeys: () => void;
  find: () => void;
  save: () => void;
}

/** Where one is after a run: at the cell, at the next one, or in a new one. */
export type Then = "stay" | "next" | "insert";

function named(count: number): string { return count === 1 ? "The cell" : `${count} cells`; }

/** Deletes cells as one change; the notice takes it back. */
export function removeCells(store: NotebookStore, ids: string[]): void {
  const places = store.state.cells.map((cell, at) => ({ at, cell })).filter(({ cell }) => ids.includes(cell.id));
  if (places.length === 0) return;
  store.remove(ids);
  // These cells, whatever was changed or taken back since.
  toast(`${named(places.length)} ${places.length === 1 ? "was" : "were"} deleted.`, "plain", { text: "Undo", run: () => store.restore(places) });
}

function mergeCells(store: NotebookStore, ids: string[]): void {
  if (!store.merge(ids)) toast("Only cells of one language can be joined.", "plain");
}

/** Makes texts of cells, code, or neither: of those that are something else, for the others have a language of their own. */
function changeType(store: NotebookStore, ids: string[], type: CellView["type"]): void {
  const language = { markdown: "md", raw: "raw", code: store.language }[type];
  store.setLanguage(ids.filter((id) => store.cell(id)?.type !== type), language);
}

/** Collapses outputs where one of the cells shows some, and else shows them. */
export function toggleOutputs(store: NotebookStore, ids: string[]): void {
  const isShown = store.state.cells.some((cell) => ids.includes(cell.id) && hasOutputs(cell) && !isFolded(cell));
  keepInPlace(store.state.selected, () => store.hideOutputs(isShown, ids));
}

const changing = new Set(["1", "2", "3", "4", "5", "6", "a", "b", "m", "r", "y", "z", "Z", "x", "v", "V", "M"]);

/** Whether a key would change the notebook; deleting takes two presses. */
function isChange(event: KeyboardEvent, isTwice: boolean): boolean {
  if (event.altKey) return false;
  if (event.ctrlKey || event.metaKey) return event.shiftKey && (event.key === "ArrowUp" || event.key === "ArrowDown");
  return changing.has(event.key) || (event.key === "d" && isTwice) || (event.key === "Enter" && !event.shiftKey);
}

function refuse(): void {
  toast("You may not change this notebook. Ask whoever manages it for CAN_EDIT, or work on a copy of it.", "plain");
}

/** What a key stands for, while a cell is selected and none is edited. */
export function commandOf(event: KeyboardEvent, isTwice: boolean, commands: Commands): (() => void) | undefined {
  const { store, onRun, interrupt, restart, showKeys } = commands;
  const id = store.state.selected;
  const onButton = (event.target as HTMLElement).closest("button, a") !== null;
  if (!id) return undefined;
  if (store.isReadOnly && !onButton && isChange(event, isTwice)) return refuse;
  const chosen = store.chosen;
  const [first, last] = [chosen[0], chosen[chosen.length - 1]];
  if (event.key === "Enter") {
    if (onButton) return undefined;
    if (event.shiftKey) return () => onRun(chosen, "next");
    if (event.ctrlKey || event.metaKey) return () => onRun(chosen, "stay");
    if (event.altKey) return () => onRun(chosen, "insert");
    return () => store.select(id, true);
  }
  if ((event.ctrlKey || event.metaKey) && !event.altKey) {
    if (event.shiftKey && event.key === "ArrowUp") return () => store.shift(chosen, -1);
    if (event.shiftKey && event.key === "ArrowDown") return () => store.shift(chosen, 1);
    return !event.shiftKey && event.key.toLowerCase() === "a" ? () => store.selectAll() : undefined;
  }
  if (event.altKey) return undefined;
  const at = store.index(id);
  switch (event.key) {
    case "ArrowDown": return () => event.shiftKey ? store.extend(store.beside(1)?.id) : store.move(1);
    case "ArrowUp": return () => event.shiftKey ? store.extend(store.beside(-1)?.id) : store.move(-1);
    case "j": return () => store.move(1);
    case "k": return () => store.move(-1);
    case "J": return () => store.extend(store.beside(1)?.id);
    case "K": return () => store.extend(store.beside(-1)?.id);
    case "Escape": return chosen.length > 1 ? () => store.select(id) : undefined;
    case "a": return () => { store.insert(at); };
    case "b": return () => { store.insert(at + 1); };
    case "m": return () => changeType(store, chosen, "markdown");
    case "1": case "2": case "3": case "4": case "5": case "6": return () => store.setHeading(chosen, Number(event.key));
    case "r": return () => changeType(store, chosen, "raw");
    case "y": return () => changeType(store, chosen, "code");
    case "z": return () => store.undo();
    case "Z": return () => store.redo();
    case "c": return () => {
      copyCells(store, chosen);
      toast(`${named(chosen.length)} ${chosen.length === 1 ? "is copied: v puts it" : "are copied: v puts them"} below, V above.`, "plain");
    };
    case "x": return () => { copyCells(store, chosen); removeCells(store, chosen); };
    case "v": return () => pasteCells(store, store.index(last) + 1);
    case "V": return () => pasteCells(store, store.index(first));
    case "M": return () => mergeCells(store, chosen);
    case "o": return () => toggleOutputs(store, chosen);
    case "d": return isTwice ? () => removeCells(store, chosen) : undefined;
    case "i": return isTwice ? interrupt : undefined;
    case "0": return isTwice ? restart : undefined;
    case "f": return commands.find;
    case "s": return commands.save;
    case "h": case "?": return showKeys;
    default: return undefined;
  }
}
