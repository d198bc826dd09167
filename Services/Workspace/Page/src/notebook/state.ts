// What of an open notebook is shown.
import type { CellView } from "./cells";

export interface NotebookState {
  cells: CellView[];
  /** The cell that has the keyboard. */
  selected: string | undefined;
  /** The cells that are selected together, that one among them; none when it is alone. */
  marked: ReadonlySet<string>;
  /** The other end of them: where selecting them began. */
  anchor: string | undefined;
  editing: string | undefined;
  /** Where a traceback has led: an object of its own each time. */
  led: { id: string; line: number } | undefined;
  /** Grows with each change of what is saved. */
  version: number;
  savedVersion: number;
  revisionID: number;
}
