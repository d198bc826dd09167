// Taking back a change of a notebook's cells, whatever others have made of the notebook since.
import { woven } from "./merging";
import type { CellView } from "./cells";

/** What the cells were before and after a change, and which of them it rewrote. */
export interface Step { before: CellView[]; after: CellView[]; rewritten: string[] }

/** The cells as they are now without what the step has done. What others have added or deleted since stays so. */
export function takenBack(step: Step, now: CellView[]): CellView[] {
  const [before, after, current] = [step.before, step.after, now].map((cells) => new Map(cells.map((cell) => [cell.id, cell]))) as
    [Map<string, CellView>, Map<string, CellView>, Map<string, CellView>];
  const stays = ({ id }: CellView) => before.has(id) ? current.has(id) || !after.has(id) : current.has(id) && !after.has(id);
  const both = (cells: CellView[]) => cells.map((cell) => cell.id).filter((id) => before.has(id) && after.has(id)).join();
  const [first, second] = both(step.before) !== both(step.after) ? [step.before, now] : [now, step.before];
  const ids = woven(first.filter(stays).map((cell) => cell.id), second.filter(stays).map((cell) => cell.id));
  // What was written meanwhile stays, and outputs are not a step's: they stay with their cell, here and on the server.
  return ids.flatMap((id) => {
    const [old, present] = [before.get(id), current.get(id)];
    if (!old || !present) return old ? [old] : present ? [present] : [];
    if (!step.rewritten.includes(id)) return [present];
    // What was set in it since stays.
    const origin = present.origin === after.get(id)?.origin ? old.origin : present.origin;
    return [{ ...present, type: old.type, source: old.source, origin }];
  });
}

/** The cells that were not there before and had run when they went: their runs may have gone on without them. */
export function returned(before: CellView[], after: CellView[]): string[] {
  const here = new Set(before.map((cell) => cell.id));
  return after.filter((cell) => cell.run && !here.has(cell.id)).map((cell) => cell.id);
}
