// Bringing what is here together with what others have saved, cell by cell. The server does it field by field, and refuses more.
import { joined } from "../output/mime";
import { areSameCharts, chartsOf, withCharts } from "./charted";
import type { DocumentCell, NotebookDocument } from "./document";
import { isHidden, withHidden } from "./hidden";
import type { CellView } from "./cells";

/** All of both: what only the second has comes after what it follows there. */
export function woven(first: string[], second: string[]): string[] {
  const ids = [...first];
  const known = new Set(first);
  second.forEach((id, index) => {
    if (known.has(id)) return;
    known.add(id);
    const before = index === 0 ? -1 : ids.indexOf(second[index - 1] ?? "");
    ids.splice(before + 1, 0, id);
  });
  return ids;
}

/** The cells of a document by their ids, and of those that have none by their places. */
export function cellsOf(document: NotebookDocument): Map<string, DocumentCell> {
  return new Map(document.cells.map((cell, index) => [cell.id ?? `cell-${index + 1}`, cell]));
}

function isSame(type: string, source: string, cell: DocumentCell | undefined): boolean {
  return cell !== undefined && cell.cell_type === type && joined(cell.source) === source;
}

/**
 * What mine were made of, where a save's answer was lost: a cell that is theirs as I have sent it is mine, and what I have
 * written since is on top of that.
 * @param sent what may have been saved, oldest first.
 */
export function knownBase(
  base: Map<string, DocumentCell>, sent: Map<string, DocumentCell>[], theirs: Map<string, DocumentCell>
): Map<string, DocumentCell> {
  const known = new Map(base);
  for (const cells of sent) {
    for (const [id, cell] of cells) {
      if (isSame(cell.cell_type, joined(cell.source), theirs.get(id))) known.set(id, cell);
    }
    for (const id of base.keys()) if (!cells.has(id) && !theirs.has(id)) known.delete(id);
  }
  return known;
}

/**
 * My cells and theirs together: those that were not touched here become theirs. Undefined when both have changed the text of
 * one cell in different ways, which a person has to settle.
 * @param base the cells of the revision that mine were made of.
 */
export function mergedCells(cells: CellView[], base: Map<string, DocumentCell>, theirs: Map<string, DocumentCell>): CellView[] | undefined {
  const mine = new Map(cells.map((cell) => [cell.id, cell]));
  const isTouched = (cell: CellView) => !isSame(cell.type, cell.source, base.get(cell.id));
  for (const cell of cells) {
    const their = theirs.get(cell.id);
    if (isTouched(cell) && their && !isSame(their.cell_type, joined(their.source), base.get(cell.id))
      && !isSame(cell.type, cell.source, their)) return undefined;
  }
  const view = (id: string): CellView | undefined => {
    const [my, their, old] = [mine.get(id), theirs.get(id), base.get(id)];
    if (!their) return my && isTouched(my) ? my : undefined;
    const type = their.cell_type;
    const source = joined(their.source);
    if (!my) {
      return old && isSame(type, source, old) ? undefined
        : { id, type, source, outputs: their.outputs ?? [], count: their.execution_count ?? null, origin: their };
    }
    // Whether outputs are shown, and as what, is no text: one may fold them while another writes.
    const isFoldedHere = isHidden(my.origin) !== (old !== undefined && isHidden(old));
    const folded = isFoldedHere ? withHidden(their, isHidden(my.origin)) : their;
    const origin = areSameCharts(my.origin, old) ? folded : withCharts(folded, chartsOf(my.origin));
    return isTouched(my) ? { ...my, origin } : { ...my, type, source, origin };
  };
  const isMoved = cells.map((cell) => cell.id).filter((id) => base.has(id)).join() !== [...base.keys()].filter((id) => mine.has(id)).join();
  const ids = isMoved ? woven([...mine.keys()], [...theirs.keys()]) : woven([...theirs.keys()], [...mine.keys()]);
  return ids.map(view).filter((cell): cell is CellView => cell !== undefined);
}

/** My cells with the outputs that they have in a document. */
export function withOutputsOf(document: NotebookDocument, cells: CellView[]): CellView[] {
  const theirs = cellsOf(document);
  return cells.map((cell) => {
    const their = theirs.get(cell.id);
    return their?.cell_type === "code" ? { ...cell, outputs: their.outputs ?? [], count: their.execution_count ?? null } : cell;
  });
}
