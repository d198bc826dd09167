// What was typed in a notebook and is not saved: which cells differ from the revision that was edited, and how they come back.
import type { Json } from "../api/generated/contract";
import { joined } from "../output/mime";
import { type CellView, newCell, viewsOf } from "./cells";
import type { DocumentCell, NotebookDocument } from "./document";
import { cellsOf, mergedCells } from "./merging";

export interface NotebookDraft {
  /** The revision that was edited. */
  base: number;
  /** All cells, in order. */
  order: string[];
  /** Those that differ. */
  cells: Array<{ id: string; type: CellView["type"]; source: string; metadata: Record<string, Json> }>;
  /** The notebook's own, which has its language, for when it is gone. */
  metadata?: Record<string, Json>;
}

const isSame = (cell: CellView, old: DocumentCell | undefined) => old !== undefined && old.cell_type === cell.type && joined(old.source) === cell.source;

/** What differs from the cells that were edited; nothing where no text does and none was moved. */
export function draftOf(
  cells: CellView[], base: Map<string, DocumentCell>, revision: number, metadata: Record<string, Json>
): NotebookDraft | undefined {
  const differing = cells.filter((cell) => !isSame(cell, base.get(cell.id)));
  const order = cells.map((cell) => cell.id);
  if (differing.length === 0 && order.join() === [...base.keys()].join()) return undefined;
  return { base: revision, order, cells: differing.map(({ id, type, source, origin }) => ({ id, type, source, metadata: origin.metadata })), metadata };
}

/** What comes back of a draft: the cells as they are to be, and which of those that are there get another text. */
export interface Back { cells: CellView[]; rewritten: string[]; isConflict: boolean }

/**
 * Brings what was typed together with what the notebook has by now, cell by cell.
 *
 * @param base the revision that was edited; unknown when it is gone: then each cell that differs is a person's to settle.
 * @param now the cells as they are, which no one has touched.
 * @returns nothing when all of it is there already.
 */
export function broughtBack(draft: NotebookDraft, base: NotebookDocument | undefined, now: CellView[]): Back | undefined {
  const typed = new Map(draft.cells.map((cell) => [cell.id, cell]));
  const old = base ? cellsOf(base) : new Map<string, DocumentCell>();
  const views = new Map([...base ? viewsOf(base) : now, ...now].map((cell) => [cell.id, cell]));
  const oldViews = new Map((base ? viewsOf(base) : now).map((cell) => [cell.id, cell]));
  const mine = draft.order.flatMap((id): CellView[] => {
    const cell = typed.get(id);
    const view = views.get(id);
    if (!cell) return oldViews.has(id) ? [{ ...oldViews.get(id) as CellView, outputs: view?.outputs ?? [], count: view?.count ?? null }] : [];
    const origin: DocumentCell = { ...view?.origin ?? { source: "" }, cell_type: cell.type, metadata: cell.metadata };
    return [{ ...view ?? newCell(), id, type: cell.type, source: cell.source, origin }];
  });
  const theirs = new Map(now.map((cell): [string, DocumentCell] => [cell.id, { ...cell.origin, cell_type: cell.type, source: cell.source }]));
  const merged = mergedCells(mine, old, theirs);
  const before = new Map(now.map((cell) => [cell.id, cell]));
  const cells = (merged ?? mine).map((cell) => {
    const known = before.get(cell.id);
    return known ? { ...known, type: cell.type, source: cell.source } : cell;
  });
  const rewritten = cells.filter((cell) => before.has(cell.id) && !isSame(cell, theirs.get(cell.id))).map((cell) => cell.id);
  const isAlike = rewritten.length === 0 && cells.map((cell) => cell.id).join() === now.map((cell) => cell.id).join();
  return isAlike ? undefined : { cells: cells.length > 0 ? cells : [newCell()], rewritten, isConflict: merged === undefined };
}
