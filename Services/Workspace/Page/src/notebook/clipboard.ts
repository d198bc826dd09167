// Cells that were cut or copied, for every notebook of this page.
import type { CellView } from "./cells";
import { withHidden } from "./hidden";
import type { NotebookStore } from "./store";

let kept: CellView[] = [];

export function copyCells(store: NotebookStore, ids: string[]): void {
  kept = ids.map((id) => store.cell(id)).filter((cell): cell is CellView => cell !== undefined);
}

/** What is put in is a cell of its own: it has not run, and has nothing to collapse. */
export function pasteCells(store: NotebookStore, at: number): void {
  if (kept.length === 0) return;
  store.insertAll(at, kept.map(({ type, source, origin }) => {
    const { id: _id, ...rest } = withHidden(origin, false);
    return { type, source, origin: rest };
  }));
}
