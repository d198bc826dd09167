// What a kernel knows of code while it is being written: a list of ways to go on, and the documentation of a name.
import CodeMirror, { Editor as Instance, Hints, Position } from "codemirror";
import "codemirror/addon/hint/show-hint";
import { ApiError } from "../api/client";
import type { Completion, CompletionMatch, Inspection } from "../api/generated/contract";
import { Tip, landmark } from "./tip";

/** Whoever can be asked. Cursors are counted in code points, as kernels count. */
export interface Assistant {
  complete: (code: string, cursor: number, signal: AbortSignal) => Promise<Completion>;
  inspect: (code: string, cursor: number, detail: number, signal: AbortSignal) => Promise<Inspection>;
}

/** After these a name, an attribute, a key or an argument can follow; after anything else Tab indents. */
const goesOn = /[\p{L}\p{N}_.%'"[(`]$/u;
/** Who waits for longer than this is told that somebody is being asked. */
const patience = 400;

const busy = "The kernel is busy. It can be asked again in a while.";

/** Code units of JavaScript to code points. */
function pointsIn(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** The other way round. */
function unitsOf(text: string, points: number): number {
  let units = 0;
  let left = points;
  for (const point of text) {
    if (left === 0) break;
    left -= 1;
    units += point.length;
  }
  return units;
}

interface Known { from: number; to: number; before: string; matches: CompletionMatch[]; isAll: boolean }

/** The help of one editor. Keys ask it; it answers beside the cursor. */
export class Assist {
  private asking: AbortController | undefined;
  private readonly tip: Tip;
  /** The answer that the open list is made of: what is typed meanwhile only narrows it. */
  private known: Known | undefined;
  /** Where the documentation stands open, and how much of it. */
  private told: { index: number; detail: number } | undefined;

  constructor(private readonly editor: Instance, private readonly assistant: () => Assistant | undefined) {
    this.tip = new Tip(editor, () => { this.told = undefined; });
    editor.on("endCompletion", () => { this.known = undefined; });
    addEventListener("resize", this.moved);
    addEventListener("scroll", this.moved, true);
  }

  /** The cursor is no longer where the list was put. */
  private readonly moved = (event: Event) => {
    const inside = event.target instanceof Element && event.target.closest(".CodeMirror, .CodeMirror-hints, .editor-tip");
    if (inside) return;
    this.tip.close();
    this.editor.closeHint();
  };

  /** The editor goes away. */
  close(): void {
    removeEventListener("resize", this.moved);
    removeEventListener("scroll", this.moved, true);
    this.asking?.abort();
    this.tip.close();
    this.editor.closeHint();
  }

  /** What Tab does: completes after a word, and indents everywhere else. */
  tab(): void {
    if (this.editor.somethingSelected()) this.editor.execCommand("indentMore");
    else if (this.assistant() && goesOn.test(this.before())) this.complete();
    else this.editor.execCommand("insertSoftTab");
  }

  /** What Shift-Tab does: tells about the name at the cursor, and takes an indent away at the start of a line. */
  shiftTab(): void {
    if (this.editor.somethingSelected() || !this.assistant() || this.before().trim() === "") this.editor.execCommand("indentLess");
    else void this.inspect();
  }

  complete(): void {
    if (!this.assistant()) return;
    this.tip.close();
    this.known = undefined;
    // A match can be any text: what closes the list is what narrows it to nothing.
    this.editor.showHint({ hint: () => this.hints(), closeCharacters: /[\s;]/, completeSingle: true, container: landmark() });
  }

  private async hints(): Promise<Hints | null> {
    const code = this.editor.getValue();
    const index = this.editor.indexFromPos(this.editor.getCursor());
    if (!this.known || !this.known.isAll || index < this.known.to || !code.startsWith(this.known.before)) {
      const found = await this.ask((one, signal) => one.complete(code, pointsIn(code.slice(0, index)), signal));
      if (!found) return null;
      if (found.busy) { this.say(busy); return null; }
      if (found.matches.length === 0) { this.say("Nothing is known to go on with here."); return null; }
      const from = unitsOf(code, found.cursor_start);
      this.known = { from, to: Math.max(index, unitsOf(code, found.cursor_end)), before: code.slice(0, from), matches: found.matches, isAll: !found.truncated };
    }
    return this.listed(this.known, code.slice(this.known.from, index));
  }

  private listed(known: Known, typed: string): Hints | null {
    const wanted = typed.toLowerCase();
    const asked = known.to - known.from >= typed.length;
    // The kernel's own choice may differ in letters from what was typed; only what is typed after that narrows it.
    const matches = known.matches.filter((one) => asked || one.text.toLowerCase().startsWith(wanted));
    if (matches.length === 0) return null;
    const index = this.editor.indexFromPos(this.editor.getCursor());
    const list = matches.map((match) => ({ text: match.text, render: (row: HTMLElement) => fill(row, match) }));
    const hints: Hints = { list, from: this.editor.posFromIndex(known.from), to: this.editor.posFromIndex(Math.max(index, asked ? known.to : index)) };
    CodeMirror.on(hints, "shown", () => this.name());
    return hints;
  }

  /** The list gets a name, and can be scrolled by those who get to it otherwise than by the keys of the editor. */
  private name(): void {
    const list = document.querySelector<HTMLElement>(".CodeMirror-hints");
    list?.setAttribute("aria-label", "Ways to go on");
    list?.setAttribute("tabindex", "0");
  }

  private async inspect(): Promise<void> {
    const code = this.editor.getValue();
    const index = this.editor.indexFromPos(this.editor.getCursor());
    const detail = this.told?.index === index ? 1 : 0;
    this.editor.closeHint();
    const found = await this.ask((one, signal) => one.inspect(code, pointsIn(code.slice(0, index)), detail, signal));
    if (!found) return;
    if (found.busy) { this.say(busy); return; }
    if (!found.found || !found.text) { this.say("Nothing is known of this name. It is known once the cell that makes it has run."); return; }
    this.tip.show(found.truncated ? `${found.text}\n…` : found.text, "Documentation");
    this.told = { index, detail };
  }

  /** An answer, unless somebody has gone on writing meanwhile. */
  private async ask<Answer>(question: (one: Assistant, signal: AbortSignal) => Promise<Answer>): Promise<Answer | undefined> {
    const one = this.assistant();
    if (!one) return undefined;
    this.asking?.abort();
    const controller = new AbortController();
    this.asking = controller;
    const [code, at] = [this.editor.getValue(), this.editor.getCursor()];
    const isOld = () => controller.signal.aborted || this.editor.getValue() !== code || !same(this.editor.getCursor(), at);
    const waiting = setTimeout(() => { if (!isOld()) this.say("Asking the kernel…"); }, patience);
    try {
      const answer = await question(one, controller.signal);
      if (isOld()) return undefined;
      this.tip.close();
      return answer;
    } catch (error) {
      if (!isOld()) this.say(error instanceof ApiError ? error.message : String(error));
      return undefined;
    } finally {
      clearTimeout(waiting);
    }
  }

  private say(text: string): void { this.tip.show(text, "Help", true); }

  /** What is on the line before the cursor. */
  private before(): string {
    const at = this.editor.getCursor();
    return this.editor.getLine(at.line).slice(0, at.ch);
  }
}

function same(one: Position, other: Position): boolean { return one.line === other.line && one.ch === other.ch; }

/** One row of the list. */
function fill(row: HTMLElement, match: CompletionMatch): void {
  const part = (name: string, text: string | undefined) => {
    if (!text) return;
    const span = document.createElement("span");
    span.className = name;
    span.textContent = text;
    row.append(span, " ");
  };
  // IPython takes the dot before an attribute for a part of its name.
  part("hint-text", match.text.replace(/^\.(?=\w)/, ""));
  part("hint-signature", match.signature);
  part("hint-type", match.type);
}
