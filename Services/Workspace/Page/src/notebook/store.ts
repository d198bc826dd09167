// A notebook that is open: its cells, what is not saved yet, and what can be taken back.
import { useSyncExternalStore } from "react";
import type { Json, NotebookContent } from "../api/generated/contract";
import { type CellView, asHeading, inLanguage, joinedCells, newCell, putBack, rewrittenBy, shifted, viewsOf, withOutputsHere, withShown, written } from "./cells";
import { DocumentCell, NotebookDocument, magicOf, notebookLanguage, partsOf } from "./document";
import { chartsOf, withChart, withCharts, withChartsKept } from "./charted";
import { type Back, type NotebookDraft, draftOf } from "./draft";
import { withFoldKept, withFolded } from "./hidden";
import { cellsOf, knownBase, mergedCells, withOutputsOf } from "./merging";
import { alone, chosenAmong, idsBetween, selectedAmong, together, unmarked } from "./selecting";
import type { NotebookState } from "./state";
import { type Step, returned, takenBack } from "./undo";

const undoLimit = 100;

export class NotebookStore {
  state: NotebookState;
  readonly notebookID: number;
  path: string;
  language: string;
  private document: NotebookDocument;
  private listeners = new Set<() => void>();
  private undos: Step[] = [];
  private redos: Step[] = [];
  /** Where the cursor was in each cell that was edited. */
  private cursors = new Map<string, { offset: number }>();
  /** The cells as they are in the revision that is edited, by id. */
  private base: Map<string, DocumentCell>;
  /** The cells of the last few saves whose answers were lost, oldest first. */
  private sent: Map<string, DocumentCell>[] = [];
  /** A save that is under way. */
  saving: Promise<unknown> | undefined;
  /** Cells whose outputs the server is to drop. */
  private cleared = new Set<string>();
  /** The revision that is brought back by what is here. */
  restored: number | undefined;
  /** Hears of cells that were cleared here, and of those that others have made, with the event up to which these are here; -1 of ours that are back. */
  onCleared: (ids: string[]) => void = () => undefined;
  onCome: (ids: string[], sequence: number) => void = () => undefined;
  private mayEdit: boolean | undefined;

  constructor(content: NotebookContent) {
    this.notebookID = content.notebook_id;
    this.path = content.path;
    this.document = content.document as unknown as NotebookDocument;
    this.language = notebookLanguage(this.document);
    const cells = viewsOf(this.document);
    this.base = cellsOf(this.document);
    this.state = {
      cells, ...alone(cells[0]?.id), editing: undefined, led: undefined, version: 0, savedVersion: 0, revisionID: content.revision_id,
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

  /** Whether the user may look at it and not change it; not as long as that is not known. */
  get isReadOnly(): boolean { return this.mayEdit === false; }

  private change(cells: CellView[], more: Partial<NotebookState> = {}): void {
    if (this.isReadOnly) return;
    const back = returned(this.state.cells, cells);
    this.set({ cells, version: this.state.version + 1, ...more });
    if (back.length > 0) this.onCome(back, -1);
  }

  /** Makes a change that can be taken back: one, of however many cells. */
  private edit(cells: CellView[], rewritten: string[] = [], more: Partial<NotebookState> = {}): void {
    if (this.isReadOnly) return;
    [this.undos, this.redos] = [[...this.undos.slice(1 - undoLimit), { before: this.state.cells, after: cells, rewritten }], []];
    this.change(cells, more);
  }

  // Looking

  index(id: string | undefined): number { return this.state.cells.findIndex((cell) => cell.id === id); }
  cell(id: string | undefined): CellView | undefined { return this.state.cells[this.index(id)]; }
  languageOf(cell: CellView): string {
    if (cell.type !== "code") return cell.type === "markdown" ? "md" : "raw";
    return magicOf(cell.source)?.language ?? this.language;
  }

  select(id: string | undefined, isEditing = false): void {
    this.set({ ...alone(id), editing: isEditing && !this.isReadOnly ? id : undefined, led: undefined });
  }

  /** All that is selected, from the top: what a command is for. */
  get chosen(): string[] { return chosenAmong(this.state); }

  /** What something that is done at a cell is for: all that is selected, when the cell is among it. */
  meant(id: string): string[] { return this.chosen.includes(id) ? this.chosen : [id]; }

  /** Selects everything from where selecting began up to a cell. */
  extend(id: string | undefined): void {
    const anchor = this.cell(this.state.anchor)?.id ?? this.state.selected;
    const [from, to] = [this.index(anchor), this.index(id)];
    if (to < 0) return;
    if (from < 0 || from === to) this.select(id);
    else this.set({ selected: id, marked: idsBetween(this.state.cells, from, to), anchor, editing: undefined, led: undefined });
  }

  selectAll(): void {
    const ids = this.state.cells.map((cell) => cell.id);
    this.set({ marked: ids.length > 1 ? new Set(ids) : unmarked, anchor: undefined, editing: undefined, led: undefined });
  }

  /** Opens a cell at a line, counted from one: the cell that ran under that number. Answers whether there is one. */
  lead(count: number, line: number): boolean {
    const cell = this.state.cells.find((one) => one.type === "code" && one.count === count);
    if (cell) this.set({ ...alone(cell.id), editing: this.isReadOnly ? undefined : cell.id, led: { id: cell.id, line } });
    return cell !== undefined;
  }

  /** Where the cursor of a cell's editor begins: where it was, and at first at the end. */
  cursorOf(id: string): { offset: number } {
    const known = this.cursors.get(id) ?? { offset: Infinity };
    this.cursors.set(id, known);
    return known;
  }

  /** The cell that many below the one that has the keyboard, or the last one on the way there. */
  beside(offset: number): CellView | undefined {
    return this.state.cells[Math.max(0, Math.min(this.state.cells.length - 1, this.index(this.state.selected) + offset))];
  }

  /** Goes to another cell; its editor is entered from the side one comes from. */
  move(offset: number, isEditing = false): void {
    const next = this.beside(offset);
    if (!next) return;
    if (isEditing) this.cursorOf(next.id).offset = offset > 0 ? 0 : Infinity;
    this.select(next.id, isEditing);
  }

  // Changing

  update(id: string, change: Partial<CellView>, isContent = true): void {
    const cells = this.state.cells.map((cell) => cell.id === id ? { ...cell, ...change } : cell);
    if (isContent) this.change(cells); else this.set({ cells });
  }

  /** Shows what cells have put out, all at once. */
  show(outputs: ReadonlyMap<string, Pick<CellView, "outputs" | "count">>): void {
    if (outputs.size > 0) this.set({ cells: withShown(this.state.cells, outputs) });
  }

  /** Changes the text that is edited, which goes without the magic command that chooses the language. */
  write(id: string, text: string): void {
    const cell = this.cell(id);
    if (!cell) return;
    const source = partsOf(cell.type, cell.source).head + text;
    if (source !== cell.source) this.update(id, { source });
  }

  /** A text keeps what it has put out as code, which is not shown: it is there again when it is code again, here and on the server. */
  setLanguage(ids: string[], language: string): void { this.become(ids, (cell) => inLanguage(cell, language, this.language)); }

  /** Makes texts of cells, with a heading of a level, from 1 to 6, at the beginning. */
  setHeading(ids: string[], level: number): void { this.become(ids, (cell) => asHeading(cell, level)); }

  private become(ids: string[], changed: (cell: CellView) => CellView): void {
    if (ids.length === 0) return;
    this.edit(this.state.cells.map((cell) => {
      if (!ids.includes(cell.id)) return cell;
      const next = changed(cell);
      // What was put out before this page was opened is known to the server alone.
      if (next.type === "code" && cell.type !== "code" && cell.outputs.length === 0) this.cleared.add(cell.id);
      return next;
    }), ids);
  }

  insert(at: number, cell: Partial<CellView> = {}, isEditing = false): string {
    return this.insertAll(at, [cell], isEditing);
  }

  /** Puts cells in, the last of which is selected then. */
  insertAll(at: number, added: Array<Partial<CellView>>, isEditing = false): string {
    const made = added.map(newCell);
    const last = made[made.length - 1]?.id ?? "";
    const cells = [...this.state.cells];
    cells.splice(at, 0, ...made);
    this.edit(cells, [], { ...alone(last), editing: isEditing ? last : undefined });
    return last;
  }

  remove(ids: string[]): void {
    const gone = new Set(ids);
    const at = this.state.cells.findIndex((cell) => gone.has(cell.id));
    const left = this.state.cells.filter((cell) => !gone.has(cell.id));
    if (at < 0) return;
    const cells = left.length > 0 ? left : [newCell()];
    this.edit(cells, [], { ...alone(cells[Math.min(at, cells.length - 1)]?.id), editing: undefined });
  }

  /** Puts cells back where they were, from the top, as far as they are not there. */
  restore(places: Array<{ at: number; cell: CellView }>): void {
    const { cells, ids } = putBack(this.state.cells, places);
    if (ids.length > 0) this.edit(cells, [], { ...together(ids), editing: undefined });
  }

  /** Moves cells by one place, each that has a place to go to. */
  shift(ids: string[], offset: 1 | -1): void {
    const cells = shifted(this.state.cells, new Set(ids), offset);
    if (cells.some((cell, index) => cell !== this.state.cells[index])) this.edit(cells);
  }

  /** What was put out stays with the first of both, as it does when its text is changed. */
  split(id: string, text: string, offset: number): void {
    const cell = this.cell(id);
    if (!cell) return;
    const { head } = partsOf(cell.type, cell.source);
    const made = newCell({ type: cell.type, source: head + text.slice(offset).replace(/^\n/, "") });
    const first = { ...cell, source: head + text.slice(0, offset).replace(/\n$/, "") };
    this.cursorOf(made.id).offset = 0;
    this.edit(this.state.cells.flatMap((one) => one.id === id ? [first, made] : [one]), [id], { ...alone(made.id), editing: made.id });
  }

  /** Puts cells to the end of the first of them, whose outputs stay; of one alone, the cell below. False when of several languages. */
  merge(ids: string[]): boolean {
    const meant = new Set(ids.length > 1 ? ids : [...ids, this.state.cells[this.index(ids[0]) + 1]?.id]);
    const [first, ...others] = this.state.cells.filter((cell) => meant.has(cell.id));
    if (!first || others.length === 0) return true;
    if (others.some((one) => one.type !== first.type || this.languageOf(one) !== this.languageOf(first))) return false;
    this.edit(joinedCells(this.state.cells, first, others), [first.id], alone(first.id));
    return true;
  }

  /** Collapses outputs, or shows them: of the cells named, as far as they have or may get some; of all without names. */
  hideOutputs(hidden: boolean, ids?: string[]): void {
    const cells = withFolded(this.state.cells, hidden, ids);
    if (cells.some((cell, index) => cell !== this.state.cells[index])) this.fold(cells);
  }

  /** Says whether the user may change the notebook: only then it is kept what is collapsed, also what was before. */
  setMayEdit(mayEdit: boolean): void {
    this.mayEdit = mayEdit;
    if (!mayEdit) { this.set({ editing: undefined }); return; }
    const cells = this.state.cells.map(withChartsKept);
    if (cells.some((cell, index) => cell.folded !== undefined || cell !== this.state.cells[index])) this.fold(cells);
  }

  private fold(cells: CellView[]): void {
    if (this.mayEdit) this.change(cells.map(withFoldKept)); else this.set({ cells });
  }

  /** Shows a table of a cell as a chart, or as a table again; of whoever may not change the notebook it is this page's alone. */
  chart(id: string, place: number, choice: Json | undefined): void {
    const cells = this.state.cells.map((cell): CellView => {
      if (cell.id !== id) return cell;
      if (this.mayEdit) return { ...cell, origin: withChart(cell.origin, place, choice) };
      const shown = cell.charts ? withCharts(cell.origin, cell.charts) : cell.origin;
      return { ...cell, charts: chartsOf(withChart(shown, place, choice)) };
    });
    if (this.mayEdit) this.change(cells); else this.set({ cells });
  }

  /** What was put out is gone from the server as well; it is in the revisions that had it. */
  clearOutputs(ids?: string[]): void {
    const meant = new Set(ids ?? this.state.cells.map((cell) => cell.id));
    for (const id of meant) this.cleared.add(id);
    this.onCleared([...meant]);
    this.change(this.state.cells.map((cell) => meant.has(cell.id) ? { ...cell, outputs: [], count: null, run: undefined } : cell));
  }

  /** A cell has begun to run: what it puts out now was not meant. */
  unclear(id: string): void { this.cleared.delete(id); }

  undo(): void { this.step(this.undos, this.redos); }
  redo(): void { this.step(this.redos, this.undos); }

  private step(from: Step[], to: Step[]): void {
    const last = from.pop();
    if (!last) return;
    const cells = takenBack(last, this.state.cells);
    to.push({ before: this.state.cells, after: cells, rewritten: last.rewritten });
    this.change(cells, { ...selectedAmong(this.state, cells), editing: undefined });
  }

  // Saving

  /** The notebook as it is now, for nbformat 4.5. Outputs are the server's; a copy of all takes those that are here whole. */
  serialize(withOutputs = true): NotebookDocument { return written(this.document, this.state.cells, withOutputs); }

  /** What is to be kept of what is not saved. */
  draft(): NotebookDraft | undefined { return draftOf(this.state.cells, this.base, this.state.revisionID, this.document.metadata); }

  /** Puts other cells in place of these, as one change. */
  private rewrite(cells: CellView[], rewritten: string[]): void {
    this.edit(cells, rewritten, { ...selectedAmong(this.state, cells), editing: undefined });
  }

  /** Puts in cells that were rewritten, such as what was typed earlier and not saved; answers what takes it back. */
  bring({ cells, rewritten }: Pick<Back, "cells" | "rewritten">): () => void {
    const step = { before: this.state.cells, after: cells, rewritten };
    this.rewrite(cells, rewritten);
    return () => this.rewrite(takenBack(step, this.state.cells), rewritten);
  }

  /** What is here is saved elsewhere. */
  forget(): void { this.set({ savedVersion: this.state.version }); }

  /** What a save sends, and what is to be told when it is done. */
  pending(): { document: NotebookDocument; cleared: string[]; restored?: number; done: (revisionID: number) => void } {
    const { state: { version }, restored } = this;
    const [document, cleared] = [this.serialize(false), [...this.cleared]];
    return {
      document, cleared, restored, done: (revisionID) => {
        for (const id of cleared) this.cleared.delete(id);
        if (this.restored === restored) this.restored = undefined;
        [this.base, this.sent] = [cellsOf(document), []];
        this.set({ savedVersion: version, revisionID });
      },
    };
  }

  /** Whether the server has a cell, as far as is known here. */
  hasSaved(id: string): boolean { return this.base.has(id); }

  /** Whether the server may have saved something without our having heard of it. */
  get isUnsure(): boolean { return this.sent.length > 0; }

  /** The answer to a save did not come: it may have been done. */
  lose(document: NotebookDocument): void { this.sent = [...this.sent, cellsOf(document)].slice(-5); }

  /**
   * Takes in what others have saved: cells that were not touched here become theirs. False when both have changed one cell
   * in different ways, which a person has to settle.
   */
  mergeIn(content: NotebookContent): boolean {
    const document = content.document as unknown as NotebookDocument;
    const theirs = cellsOf(document);
    const cells = mergedCells(this.state.cells, knownBase(this.base, this.sent, theirs), theirs);
    if (!cells) return false;
    const come = cells.filter((cell) => !this.cell(cell.id)).map((cell) => cell.id);
    const wasDirty = this.isDirty;
    this.document = document;
    this.path = content.path;
    this.base = theirs;
    const version = this.state.version + 1;
    this.set({
      cells, version, savedVersion: wasDirty ? this.state.savedVersion : version, revisionID: content.revision_id,
      ...selectedAmong(this.state, cells),
    });
    if (come.length > 0) this.onCome(come, content.last_sequence ?? 0);
    return true;
  }

  /**
   * Takes in an answer that was asked for at some time: a save that is under way may be what it has, and one that has ended
   * since is newer. False as above.
   */
  async mergeInWhenSaved(content: NotebookContent): Promise<boolean> {
    while (this.saving) await this.saving;
    return content.revision_id <= this.state.revisionID || this.mergeIn(content);
  }

  /** Takes the outputs as the server has them now, when too much was missed. */
  takeOutputs(content: NotebookContent): void {
    this.set({ cells: withOutputsOf(content.document as unknown as NotebookDocument, this.state.cells) });
  }

  /** Goes back to an earlier revision, as one change: what a cell that is here has put out since stays. Answers what takes it back. */
  goBack(revision: number, { document }: NotebookContent): () => void {
    const then = document as unknown as NotebookDocument;
    const { document: { metadata }, language, restored } = this;
    const about = (its: NotebookDocument["metadata"], spoken: string, from: number | undefined) => {
      [this.document, this.language, this.restored] = [{ ...this.document, metadata: its }, spoken, from];
    };
    about(then.metadata, notebookLanguage(then), revision);
    const takeBack = this.bring(rewrittenBy(then, this.state.cells));
    return () => { about(metadata, language, restored); takeBack(); };
  }

  /** Takes what somebody else has saved in place of what is here; what cells have put out since it was read stays. */
  replace(content: NotebookContent, hasPutOut: (id: string) => boolean): void {
    this.document = content.document as unknown as NotebookDocument;
    this.language = notebookLanguage(this.document);
    this.path = content.path;
    const cells = withOutputsHere(viewsOf(this.document), this.state.cells, hasPutOut);
    const come = cells.filter((cell) => !this.cell(cell.id)).map((cell) => cell.id);
    [this.undos, this.redos, this.cleared] = [[], [], new Set()];
    [this.base, this.sent, this.restored] = [cellsOf(this.document), [], undefined];
    const version = this.state.version + 1;
    this.set({ cells, ...selectedAmong(this.state, cells), editing: undefined, version, savedVersion: version, revisionID: content.revision_id });
    if (come.length > 0) this.onCome(come, content.last_sequence ?? 0);
  }

  /** Goes on from another revision: what is here will be saved on top of it. */
  rebase(revisionID: number): void { this.set({ revisionID, version: this.state.version + 1 }); }
}

export function useStore(store: NotebookStore): NotebookState { return useSyncExternalStore(store.subscribe, () => store.state); }
