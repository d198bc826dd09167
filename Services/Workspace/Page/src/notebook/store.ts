// A notebook that is open: its cells, what is not saved yet, and what can be taken back.
import { useSyncExternalStore } from "react";
import type { NotebookContent } from "../api/generated/contract";
import { Output, joined, omittedType } from "../output/mime";
import { DocumentCell, NotebookDocument, lines, magicOf, notebookLanguage } from "./document";

export type RunState = "waiting" | "running" | "done" | "failed" | "cancelled";

export interface CellView {
  id: string;
  type: "code" | "markdown" | "raw";
  source: string;
  outputs: Output[];
  count: number | null;
  /** As it was read: fields we do not know stay in it. */
  origin: DocumentCell;
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
}

export interface NotebookState {
  cells: CellView[];
  selected: string | undefined;
  editing: string | undefined;
  /** Where a traceback has led: an object of its own each time. */
  led: { id: string; line: number } | undefined;
  /** Grows with each change of what is saved. */
  version: number;
  savedVersion: number;
  revisionID: number;
}

const undoLimit = 100;

/** Whether cells ran in another order than they stand in: what they show may not come again, from the top. */
export function isOutOfOrder(cells: CellView[]): boolean {
  let highest = 0;
  return cells.some((cell) => {
    if (cell.count === null || cell.count === undefined) return false;
    if (cell.count < highest) return true;
    highest = cell.count;
    return false;
  });
}

/** What the cells were before or after a change, and which of them it rewrote. */
interface Step { cells: CellView[]; rewritten: string[] }

export class NotebookStore {
  state: NotebookState;
  readonly notebookID: number;
  path: string;
  language: string;
  private document: NotebookDocument;
  private listeners = new Set<() => void>();
  /** What the cells were before each change, and which of them it gave another text. */
  private undos: Step[] = [];
  private redos: Step[] = [];
  /** Where the cursor was in each cell that was edited. */
  private cursors = new Map<string, { offset: number }>();
  /** The cells as they are in the revision that is edited, by id. */
  private base = new Map<string, DocumentCell>();
  private baseOrder = "";
  /** Cells whose outputs the server is to drop. */
  private cleared = new Set<string>();

  constructor(content: NotebookContent) {
    this.notebookID = content.notebook_id;
    this.path = content.path;
    this.document = content.document as unknown as NotebookDocument;
    this.language = notebookLanguage(this.document);
    const cells = viewsOf(this.document);
    this.setBase(this.document);
    this.state = {
      cells, selected: cells[0]?.id, editing: undefined, led: undefined, version: 0, savedVersion: 0, revisionID: content.revision_id,
    };
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => { this.listeners.delete(listener); };
  };

  get isDirty(): boolean { return this.state.version !== this.state.savedVersion; }

  private set(change: Partial<NotebookState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of [...this.listeners]) listener();
  }

  private change(cells: CellView[], more: Partial<NotebookState> = {}): void {
    this.set({ cells, version: this.state.version + 1, ...more });
  }

  private setBase(document: NotebookDocument): void {
    this.base = new Map(document.cells.map((cell, index) => [cell.id ?? `cell-${index + 1}`, cell]));
    this.baseOrder = [...this.base.keys()].join();
  }

  // Looking

  index(id: string | undefined): number { return this.state.cells.findIndex((cell) => cell.id === id); }
  cell(id: string | undefined): CellView | undefined { return this.state.cells[this.index(id)]; }
  languageOf(cell: CellView): string {
    if (cell.type !== "code") return cell.type === "markdown" ? "md" : "raw";
    return magicOf(cell.source)?.language ?? this.language;
  }

  select(id: string | undefined, isEditing = false): void {
    this.set({ selected: id, editing: isEditing ? id : undefined, led: undefined });
  }

  /** Opens a cell at a line, counted from one: the cell that ran under that number. Answers whether there is one. */
  lead(count: number, line: number): boolean {
    const cell = this.state.cells.find((one) => one.type === "code" && one.count === count);
    if (cell) this.set({ selected: cell.id, editing: cell.id, led: { id: cell.id, line } });
    return cell !== undefined;
  }

  /** Where the cursor of a cell's editor begins: where it was, and at first at the end. */
  cursorOf(id: string): { offset: number } {
    const known = this.cursors.get(id) ?? { offset: Infinity };
    this.cursors.set(id, known);
    return known;
  }

  /** Goes to another cell; its editor is entered from the side one comes from. */
  move(offset: number, isEditing = false): void {
    const next = this.state.cells[Math.max(0, Math.min(this.state.cells.length - 1, this.index(this.state.selected) + offset))];
    if (!next) return;
    if (isEditing) this.cursorOf(next.id).offset = offset > 0 ? 0 : Infinity;
    this.select(next.id, isEditing);
  }

  // Changing

  private remember(...rewritten: string[]): void {
    this.undos = [...this.undos.slice(1 - undoLimit), { cells: this.state.cells, rewritten }];
    this.redos = [];
  }

  update(id: string, change: Partial<CellView>, isContent = true): void {
    const cells = this.state.cells.map((cell) => cell.id === id ? { ...cell, ...change } : cell);
    if (isContent) this.change(cells);
    else this.set({ cells });
  }

  /** Changes the text that is edited, which goes without the magic command that chooses the language. */
  write(id: string, text: string): void {
    const cell = this.cell(id);
    if (!cell) return;
    const magic = cell.type === "code" ? magicOf(cell.source) : undefined;
    const source = magic && magic.language !== "pip" ? `${magic.command}\n${text}` : text;
    if (source !== cell.source) this.update(id, { source });
  }

  setLanguage(id: string, language: string): void {
    const cell = this.cell(id);
    if (!cell) return;
    this.remember(id);
    const magic = cell.type === "code" ? magicOf(cell.source) : undefined;
    const body = magic && magic.language !== "pip" ? magic.body : cell.source;
    if (language === "md") this.cleared.add(id);
    if (language === "md") this.update(id, { type: "markdown", source: body, outputs: [], count: null });
    else this.update(id, { type: "code", source: language === this.language ? body : `%${language}\n${body}` });
  }

  insert(at: number, cell: Partial<CellView> = {}, isEditing = false): string {
    this.remember();
    return this.put(at, cell, isEditing);
  }

  private put(at: number, cell: Partial<CellView> = {}, isEditing = false): string {
    const made: CellView = {
      id: crypto.randomUUID().slice(0, 8), type: "code", source: "", outputs: [], count: null,
      origin: { cell_type: "code", source: "", metadata: {} }, ...cell,
    };
    const cells = [...this.state.cells];
    cells.splice(at, 0, made);
    this.change(cells, { selected: made.id, editing: isEditing ? made.id : undefined });
    return made.id;
  }

  remove(id: string): void {
    this.remember();
    const at = this.index(id);
    const cells = this.state.cells.filter((cell) => cell.id !== id);
    this.change(cells, { selected: cells[Math.min(at, cells.length - 1)]?.id, editing: undefined });
    if (cells.length === 0) this.put(0);
  }

  shift(id: string, offset: number): void {
    const at = this.index(id);
    const to = at + offset;
    const cell = this.state.cells[at];
    if (!cell || to < 0 || to >= this.state.cells.length) return;
    this.remember();
    const cells = this.state.cells.filter((one) => one.id !== id);
    cells.splice(to, 0, cell);
    this.change(cells);
  }

  split(id: string, text: string, offset: number): void {
    const cell = this.cell(id);
    if (!cell) return;
    this.remember(id);
    const magic = cell.type === "code" ? magicOf(cell.source) : undefined;
    const head = magic && magic.language !== "pip" ? `${magic.command}\n` : "";
    this.cleared.add(id);
    this.update(id, { source: head + text.slice(0, offset).replace(/\n$/, ""), outputs: [], count: null });
    const made = this.put(this.index(id) + 1, { type: cell.type, source: head + text.slice(offset).replace(/^\n/, "") }, true);
    this.cursorOf(made).offset = 0;
  }

  /** Puts the cell below to the end of this one. */
  merge(id: string): void {
    const [cell, next] = [this.cell(id), this.state.cells[this.index(id) + 1]];
    if (!cell || !next || cell.type !== next.type || this.languageOf(cell) !== this.languageOf(next)) return;
    this.remember(id);
    this.cleared.add(id);
    const below = next.type === "code" ? magicOf(next.source)?.body ?? next.source : next.source;
    const cells = this.state.cells.filter((one) => one.id !== next.id)
      .map((one) => one.id === id ? { ...one, source: `${one.source}\n${below}`, outputs: [], count: null, run: undefined } : one);
    this.change(cells);
  }

  /** What was put out is gone from the server as well; it is in the revisions that had it. */
  clearOutputs(id?: string): void {
    const isMeant = (cell: CellView) => id === undefined || cell.id === id;
    for (const cell of this.state.cells) if (isMeant(cell)) this.cleared.add(cell.id);
    this.change(this.state.cells.map((cell) => isMeant(cell) ? { ...cell, outputs: [], count: null, run: undefined } : cell));
  }

  undo(): void { this.step(this.undos, this.redos); }

  redo(): void { this.step(this.redos, this.undos); }

  private step(from: Step[], to: Step[]): void {
    const last = from.pop();
    if (!last) return;
    const { cells, rewritten } = last;
    to.push({ cells: this.state.cells, rewritten });
    // What was written meanwhile stays, and what ran keeps its outputs.
    const now = new Map(this.state.cells.map((cell) => [cell.id, cell]));
    this.change(cells.map((cell) => {
      const current = now.get(cell.id);
      return current && !rewritten.includes(cell.id) ? current : { ...cell, outputs: current?.outputs ?? cell.outputs, run: current?.run };
    }), {
      selected: cells.some((cell) => cell.id === this.state.selected) ? this.state.selected : cells[0]?.id, editing: undefined,
    });
  }

  // Saving

  /** The notebook as it is now, for nbformat 4.5. Outputs are the server's; a copy of all takes those that are here whole. */
  serialize(withOutputs = true): NotebookDocument {
    return {
      ...this.document, nbformat: 4, nbformat_minor: Math.max(5, this.document.nbformat_minor ?? 5),
      cells: this.state.cells.map((cell) => {
        const { outputs: _outputs, execution_count: _count, ...rest } = cell.origin;
        const base = { ...rest, id: cell.id, cell_type: cell.type, source: lines(cell.source) };
        if (cell.type !== "code") return base;
        if (!withOutputs) return { ...base, outputs: [], execution_count: null };
        return { ...base, outputs: cell.outputs.filter(isWhole).map(withoutTransient), execution_count: cell.count };
      }),
    };
  }

  /** What a save sends, and what is to be told when it is done. */
  pending(): { document: NotebookDocument; cleared: string[]; done: (revisionID: number) => void } {
    const { version } = this.state;
    const document = this.serialize(false);
    const cleared = [...this.cleared];
    return {
      document, cleared, done: (revisionID) => {
        for (const id of cleared) this.cleared.delete(id);
        this.setBase(document);
        this.set({ savedVersion: version, revisionID });
      },
    };
  }

  /**
   * Takes in what others have saved: cells that were not touched here become theirs. False when both have changed one cell
   * in different ways, which a person has to settle.
   */
  mergeIn(content: NotebookContent): boolean {
    const document = content.document as unknown as NotebookDocument;
    const theirs = new Map(document.cells.map((cell, index) => [cell.id ?? `cell-${index + 1}`, cell]));
    const mine = new Map(this.state.cells.map((cell) => [cell.id, cell]));
    const isTouched = (cell: CellView) => !isSame(cell.type, cell.source, this.base.get(cell.id));
    for (const cell of this.state.cells) {
      const their = theirs.get(cell.id);
      if (isTouched(cell) && their && !isSame(their.cell_type, joined(their.source), this.base.get(cell.id))
        && !isSame(cell.type, cell.source, their)) return false;
    }
    const isMoved = this.state.cells.map((cell) => cell.id).filter((id) => this.base.has(id)).join()
      !== this.baseOrder.split(",").filter((id) => mine.has(id)).join();
    const view = (id: string): CellView | undefined => {
      const [my, their] = [mine.get(id), theirs.get(id)];
      if (my && isTouched(my)) return my;
      if (!their) return undefined;
      if (!my && this.base.has(id) && isSame(their.cell_type, joined(their.source), this.base.get(id))) return undefined;
      const type = their.cell_type;
      return my ? { ...my, type, source: joined(their.source), origin: their }
        : { id, type, source: joined(their.source), outputs: their.outputs ?? [], count: their.execution_count ?? null, origin: their };
    };
    const [first, second] = isMoved ? [[...mine.keys()], [...theirs.keys()]] : [[...theirs.keys()], [...mine.keys()]];
    const ids = [...first];
    second.forEach((id, index) => {
      if (ids.includes(id)) return;
      const before = index === 0 ? -1 : ids.indexOf(second[index - 1] ?? "");
      ids.splice(before + 1, 0, id);
    });
    const cells = ids.map(view).filter((cell): cell is CellView => cell !== undefined);
    const wasDirty = this.isDirty;
    this.document = document;
    this.path = content.path;
    this.setBase(document);
    const version = this.state.version + 1;
    const isThere = cells.some((cell) => cell.id === this.state.selected);
    this.set({
      cells, version, savedVersion: wasDirty ? this.state.savedVersion : version, revisionID: content.revision_id,
      selected: isThere ? this.state.selected : cells[0]?.id, editing: isThere ? this.state.editing : undefined,
    });
    return true;
  }

  /** Takes the outputs as the server has them now, when too much was missed. */
  takeOutputs(content: NotebookContent): void {
    const document = content.document as unknown as NotebookDocument;
    const theirs = new Map(document.cells.map((cell) => [cell.id, cell]));
    this.set({
      cells: this.state.cells.map((cell) => {
        const their = theirs.get(cell.id);
        return their ? { ...cell, outputs: their.outputs ?? [], count: their.execution_count ?? null } : cell;
      }),
    });
  }

  /** Takes what somebody else has saved in place of what is here. */
  replace(content: NotebookContent): void {
    this.document = content.document as unknown as NotebookDocument;
    this.language = notebookLanguage(this.document);
    this.path = content.path;
    this.undos = [];
    this.redos = [];
    this.cleared.clear();
    this.setBase(this.document);
    const cells = viewsOf(this.document);
    const selected = cells.some((cell) => cell.id === this.state.selected) ? this.state.selected : cells[0]?.id;
    const version = this.state.version + 1;
    this.set({ cells, selected, editing: undefined, version, savedVersion: version, revisionID: content.revision_id });
  }

  /** Goes on from another revision: what is here will be saved on top of it. */
  rebase(revisionID: number): void { this.set({ revisionID, version: this.state.version + 1 }); }
}

function isSame(type: string, source: string, cell: DocumentCell | undefined): boolean {
  return cell !== undefined && cell.cell_type === type && joined(cell.source) === source;
}

function isWhole(output: Output): boolean { return output.output_type !== "display_data" || !(omittedType in output.data); }

function viewsOf(document: NotebookDocument): CellView[] {
  const cells = document.cells.map((cell, index) => ({
    id: cell.id ?? `cell-${index + 1}`, type: cell.cell_type, source: joined(cell.source), outputs: cell.outputs ?? [],
    count: cell.execution_count ?? null, origin: cell,
  }));
  return cells.length > 0 ? cells : [{
    id: crypto.randomUUID().slice(0, 8), type: "code", source: "", outputs: [], count: null,
    origin: { cell_type: "code", source: "", metadata: {} },
  }];
}

/** The id of a display is of one session and not part of nbformat. */
function withoutTransient(output: Output): Output {
  if (output.output_type !== "display_data" || !output.transient) return output;
  const { transient: _transient, ...rest } = output;
  return rest;
}

export function useStore(store: NotebookStore): NotebookState {
  return useSyncExternalStore(store.subscribe, () => store.state);
}
