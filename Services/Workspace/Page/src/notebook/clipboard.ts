// Cells that were cut or copied, for every notebook of this page.
import type { CellView, NotebookStore } from "./store";

let kept: CellView | undefined;

export function copyCell(store: NotebookStore, id: string): void { kept = store.cell(id); }

/** What is put in is a cell of its own: it has not run. */
export function pasteCell(store: NotebookStore, at: number): void {
  if (!kept) return;
  const { type, source, origin } = kept;
  const { id: _id, ...rest } = origin;
  store.insert(at, { type, source, origin: rest as CellView["origin"] });
}
