// Which cells are selected: one that has the keyboard, and at times others with it.
import type { CellView } from "./cells";
import type { NotebookState } from "./state";

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

/** All of these cells are selected, the last one with the keyboard. */
export function together(ids: string[]): Selected {
  return { selected: ids[ids.length - 1], marked: ids.length > 1 ? new Set(ids) : unmarked, anchor: ids[0] };
}

/** All that is selected, from the top. */
export function chosenAmong({ cells, marked, selected }: NotebookState): string[] {
  const chosen = cells.filter((cell) => marked.has(cell.id)).map((cell) => cell.id);
  return chosen.length > 1 ? chosen : selected === undefined ? [] : [selected];
}
