// The cells of an open notebook, as the page has them.
import type { Json } from "../api/generated/contract";
import { newID } from "../app/ids";
import { type Output, joined, omittedOf } from "../output/mime";
import { type DocumentCell, type NotebookDocument, lines, partsOf } from "./document";

export type RunState = "waiting" | "running" | "done" | "failed" | "cancelled";

export interface CellView {
  id: string;
  type: "code" | "markdown" | "raw";
  source: string;
  outputs: Output[];
  count: number | null;
  /** As it was read: fields we do not know stay in it. */
  origin: DocumentCell;
  /** Whether its outputs are collapsed on this page, where that is not the notebook's. */
  folded?: boolean;
  /** What of its tables is charted on this page, where that is not the notebook's. */
  charts?: Record<string, Json>;
  run?: CellRun;
}

export interface CellRun {
  state: RunState;
  start?: number;
  end?: number;
  command?: string;
  user?: string;
  /** The hash of the text that was run. */
  hash?: string;
  /** What it asked for and did not get. */
  warning?: string;
}

/** The cell in another language, or as a text or neither; `own` is the notebook's, which needs no magic command. */
export function inLanguage(cell: CellView, language: string, own: string): CellView {
  const { body } = partsOf(cell.type, cell.source);
  if (language === "md") return { ...cell, type: "markdown", source: body };
  if (language === "raw") return { ...cell, type: "raw", source: body };
  return { ...cell, type: "code", source: language === own ? body : `%${language}\n${body}` };
}

/** The cell as a text whose first line is a heading, in place of the one that it may have been. */
export function asHeading(cell: CellView, level: number): CellView {
  return { ...cell, type: "markdown", source: `${"#".repeat(level)} ${partsOf(cell.type, cell.source).body.replace(/^#{0,6}[ \t]*/, "")}` };
}

/** Whether cells ran in another order than they stand in: what they show may not come again, from the top. */
export function isOutOfOrder(cells: CellView[]): boolean {
  let highest = 0;
  return cells.some((cell) => {
    if (cell.type !== "code" || cell.count === null || cell.count === undefined) return false;
    if (cell.count < highest) return true;
    highest = cell.count;
    return false;
  });
}

export function isWhole(output: Output): boolean { return omittedOf(output) === undefined; }

export function viewsOf(document: NotebookDocument): CellView[] {
  const cells = document.cells.map((cell, index) => ({
    id: cell.id ?? `cell-${index + 1}`, type: cell.cell_type, source: joined(cell.source), outputs: cell.outputs ?? [],
    count: cell.execution_count ?? null, origin: cell,
  }));
  return cells.length > 0 ? cells : [newCell()];
}

/** A cell of its own, which is nothing but what is given. */
export function newCell(cell: Partial<CellView> = {}): CellView {
  return {
    id: newID().slice(0, 8), type: "code", source: "", outputs: [], count: null,
    origin: { cell_type: "code", source: "", metadata: {} }, ...cell,
  };
}

/** The cells of a document in place of these; of those that are here, what they have put out stays. */
export function rewrittenBy(document: NotebookDocument, now: CellView[]): { cells: CellView[]; rewritten: string[] } {
  const here = new Map(now.map((cell) => [cell.id, cell]));
  const cells = viewsOf(document).map((cell): CellView => {
    const known = here.get(cell.id);
    return known ? { ...known, type: cell.type, source: cell.source, origin: cell.origin } : cell;
  });
  return { cells, rewritten: cells.filter(({ id }) => here.has(id)).map(({ id }) => id) };
}

/** Cells with the texts of some at the end of the first of these, in whose place they are. */
export function joinedCells(cells: CellView[], first: CellView, others: CellView[]): CellView[] {
  const source = [first.source, ...others.map((one) => partsOf(one.type, one.source).body)].join("\n");
  return cells.filter((one) => !others.includes(one)).map((one) => one === first ? { ...one, source } : one);
}

/** Cells with what has been put out by some of them. */
export function withShown(cells: CellView[], outputs: ReadonlyMap<string, Pick<CellView, "outputs" | "count">>): CellView[] {
  return cells.map((cell) => {
    const shown = outputs.get(cell.id);
    return shown ? { ...cell, ...shown } : cell;
  });
}

/** Cells with others where they were, from the top, as far as they are not there; and which that were. */
export function putBack(cells: CellView[], places: Array<{ at: number; cell: CellView }>): { cells: CellView[]; ids: string[] } {
  const here = new Set(cells.map((cell) => cell.id));
  const gone = places.filter(({ cell }) => !here.has(cell.id));
  const all = [...cells];
  for (const { at, cell } of gone) all.splice(at, 0, cell);
  return { cells: all, ids: gone.map(({ cell }) => cell.id) };
}

/** Cells with some of them one place further, each that has a place to go to. */
export function shifted(cells: CellView[], isMeant: ReadonlySet<string>, offset: 1 | -1): CellView[] {
  const all = [...cells];
  const places = all.map((_cell, index) => index);
  for (const at of offset > 0 ? places.reverse() : places) {
    const [cell, other] = [all[at], all[at + offset]];
    if (!cell || !other || !isMeant.has(cell.id) || isMeant.has(other.id)) continue;
    [all[at], all[at + offset]] = [other, cell];
  }
  return all;
}

/** A notebook with these cells, for nbformat 4.5; of their outputs those that are here whole, or none. */
export function written(document: NotebookDocument, cells: CellView[], withOutputs: boolean): NotebookDocument {
  return {
    ...document, nbformat: 4, nbformat_minor: Math.max(5, document.nbformat_minor ?? 5),
    cells: cells.map((cell) => {
      const { outputs: _outputs, execution_count: _count, ...rest } = cell.origin;
      const base = { ...rest, id: cell.id, cell_type: cell.type, source: lines(cell.source) };
      if (cell.type !== "code") return base;
      if (!withOutputs) return { ...base, outputs: [], execution_count: null };
      return { ...base, outputs: cell.outputs.filter(isWhole).map(withoutTransient), execution_count: cell.count };
    }),
  };
}

/** The id of a display is of one session and not part of nbformat. */
function withoutTransient(output: Output): Output {
  if (output.output_type !== "display_data" || !output.transient) return output;
  const { transient: _transient, ...rest } = output;
  return rest;
}

/** What others have saved, as cells; of those that have put out something since, with what they show here. */
export function withOutputsHere(theirs: CellView[], here: CellView[], hasPutOut: (id: string) => boolean): CellView[] {
  const known = new Map(here.map((cell) => [cell.id, cell]));
  return theirs.map((cell) => {
    const now = known.get(cell.id);
    if (now?.type !== cell.type) return cell;
    return { ...cell, run: now.run, ...hasPutOut(cell.id) && { outputs: now.outputs, count: now.count } };
  });
}
