// A notebook that is open: its cells, what is not saved yet, and what can be taken back.
import { useSyncExternalStore } from "react";
import type { NotebookContent } from "../api/generated/contract";
import { Output, joined } from "../output/mime";
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
  run?: { state: RunState; start?: number; end?: number };
}

export interface NotebookState {
  cells: CellView[];
  selected: string | undefined;
  editing: string | undefined;
  /** Grows with each change of what is saved. */
  version: number;
  savedVersion: number;
  revisionID: number;
}

const undoLimit = 100;

export class NotebookStore {
  state: NotebookState;
  readonly notebookID: number;
  path: string;
  language: string;
  private document: NotebookDocument;
  private listeners = new Set<() => void>();
  private undos: CellView[][] = [];

  constructor(content: NotebookContent) {
    this.notebookID = content.notebook_id;
    this.path = content.path;
    this.document = content.document as unknown as NotebookDocument;
    this.language = notebookLanguage(this.document);
    const cells = viewsOf(this.document);
    this.state = {
      cells, selected: cells[0]?.id, editing: undefined, version: 0, savedVersion: 0, revisionID: content.revision_id,
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

  // Looking

  index(id: string | undefined): number { return this.state.cells.findIndex((cell) => cell.id === id); }
  cell(id: string | undefined): CellView | undefined { return this.state.cells[this.index(id)]; }
  languageOf(cell: CellView): string {
    if (cell.type !== "code") return cell.type === "markdown" ? "md" : "raw";
    return magicOf(cell.source)?.language ?? this.language;
  }

  select(id: string | undefined, isEditing = false): void {
    this.set({ selected: id, editing: isEditing ? id : undefined });
  }

  move(offset: number, isEditing = false): void {
    const next = this.state.cells[Math.max(0, Math.min(this.state.cells.length - 1, this.index(this.state.selected) + offset))];
    if (next) this.select(next.id, isEditing);
  }

  // Changing

  private remember(): void { this.undos = [...this.undos.slice(1 - undoLimit), this.state.cells]; }

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
    this.remember();
    const magic = cell.type === "code" ? magicOf(cell.source) : undefined;
    const body = magic && magic.language !== "pip" ? magic.body : cell.source;
    if (language === "md") this.update(id, { type: "markdown", source: body, outputs: [], count: null });
    else this.update(id, { type: "code", source: language === this.language ? body : `%${language}\n${body}` });
  }

  insert(at: number, cell: Partial<CellView> = {}, isEditing = false): string {
    this.remember();
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
    if (cells.length === 0) this.insert(0);
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
    this.remember();
    const magic = cell.type === "code" ? magicOf(cell.source) : undefined;
    const head = magic && magic.language !== "pip" ? `${magic.command}\n` : "";
    this.update(id, { source: head + text.slice(0, offset).replace(/\n$/, ""), outputs: [], count: null });
    this.insert(this.index(id) + 1, { type: cell.type, source: head + text.slice(offset).replace(/^\n/, "") }, true);
  }

  clearOutputs(): void {
    this.remember();
    this.change(this.state.cells.map((cell) => ({ ...cell, outputs: [], count: null, run: undefined })));
  }

  get canUndo(): boolean { return this.undos.length > 0; }

  undo(): void {
    const cells = this.undos.pop();
    if (!cells) return;
    // What ran meanwhile keeps its outputs.
    const now = new Map(this.state.cells.map((cell) => [cell.id, cell]));
    this.change(cells.map((cell) => ({ ...cell, outputs: now.get(cell.id)?.outputs ?? cell.outputs, run: now.get(cell.id)?.run })), {
      selected: cells.some((cell) => cell.id === this.state.selected) ? this.state.selected : cells[0]?.id, editing: undefined,
    });
  }

  // Saving

  /** The notebook as it is now, for nbformat 4.5. */
  serialize(): NotebookDocument {
    return {
      ...this.document, nbformat: 4, nbformat_minor: Math.max(5, this.document.nbformat_minor ?? 5),
      cells: this.state.cells.map((cell) => {
        const { outputs: _outputs, execution_count: _count, ...rest } = cell.origin;
        const base = { ...rest, id: cell.id, cell_type: cell.type, source: lines(cell.source) };
        if (cell.type !== "code") return base;
        return { ...base, outputs: cell.outputs.map(withoutTransient), execution_count: cell.count };
      }),
    };
  }

  saved(version: number, revisionID: number): void { this.set({ savedVersion: version, revisionID }); }

  /** Takes what somebody else has saved in place of what is here. */
  replace(content: NotebookContent): void {
    this.document = content.document as unknown as NotebookDocument;
    this.language = notebookLanguage(this.document);
    this.path = content.path;
    this.undos = [];
    const cells = viewsOf(this.document);
    const selected = cells.some((cell) => cell.id === this.state.selected) ? this.state.selected : cells[0]?.id;
    const version = this.state.version + 1;
    this.set({ cells, selected, editing: undefined, version, savedVersion: version, revisionID: content.revision_id });
  }

  /** Goes on from another revision: what is here will be saved on top of it. */
  rebase(revisionID: number): void { this.set({ revisionID, version: this.state.version + 1 }); }
}

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
