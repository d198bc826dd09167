// Which cells are selected: one that has the keyboard, and at times others with it.
import type { CellView } from "./cells";
import type { NotebookState } from "./store";

export type Selected = Pick<NotebookState, "selected" | "marked" | "anchor">;

export const unmarked: ReadonlySet<string> = new Set();

/** One cell is selected, and no other. */
export function alone(id: string | undefined): Selected {
  return { selected: id, marked: unmarked, anchor: undefined };
}

/** What is selected, as far as it is among these cells; where that is gone, what stands in its place. */
export function selectedAmong(state: NotebookState, cells: CellView[]): Selected & Pick<NotebookState, "editing"> {
  const { selected, marked, anchor, editing } = state;
  const ids = new Set(cells.map((cell) => cell.id));
  if (selected === undefined || !ids.has(selected)) {
    const at = state.cells.findIndex((cell) => cell.id === selected);
    return { ...alone(cells[Math.max(0, Math.min(at, cells.length - 1))]?.id), editing: undefined };
  }
  const left = [...marked].filter((id) => ids.has(id));
  return { selected, marked: left.length > 1 ? new Set(left) : unmarked, anchor, editing };
}

export function idsBetween(cells: CellView[], from: number, to: number): ReadonlySet<string> {
  return new Set(cells.slice(Math.min(from, to), Math.max(from, to) + 1).map((cell) => cell.id));
}
