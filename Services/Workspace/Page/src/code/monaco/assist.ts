// What a kernel knows of code while it is being written: a list of ways to go on, and the documentation of a name.
import { ApiError } from "../../api/client";
import type { Completion } from "../../api/generated/contract";
import type { Assistant } from "../assist";
import { Tip } from "./tip";
import { listOf, pieceOf, pointsIn } from "./completions";

type Instance = monaco.editor.IStandaloneCodeEditor;
type Model = monaco.editor.ITextModel;

/** After these a name, an attribute, a key or an argument can follow; after anything else Tab indents. */
const goesOn = /[\p{L}\p{N}_.%'"[(`]$/u;
/** Who waits for longer than this is told that somebody is being asked. */
const patience = 400;
const busy = "The kernel is busy. It can be asked again in a while.";

/** Monaco asks one for all editors. */
const helpers = new Map<Model, Assist>();
let isRegistered = false;

function register(): void {
  if (isRegistered) return;
  isRegistered = true;
  monaco.languages.registerCompletionItemProvider("*", {
    triggerCharacters: ["."],
    provideCompletionItems: (model, position, _, token) => helpers.get(model)?.provide(position, token),
  });
}

/** The help of one editor. Keys ask it; it answers beside the cursor. */
export class Assist {
  private asking: AbortController | undefined;
  private readonly tip: Tip;
  /** What the kernel has answered for this state of the text, until Monaco comes for it. */
  private known: { version: number; found: Completion } | undefined;
  /** Where the documentation stands open, and how much of it. */
  private told: { offset: number; detail: number } | undefined;
  private readonly bound: monaco.IDisposable[];

  constructor(private readonly editor: Instance, private readonly model: Model, private readonly assistant: () => Assistant | undefined) {
    register();
    helpers.set(model, this);
    this.tip = new Tip(editor, () => { this.told = undefined; });
    this.bound = this.bind();
    addEventListener("scroll", this.moved, true);
    addEventListener("resize", this.moved);
  }

  /** The editor goes away. */
  close(): void {
    removeEventListener("scroll", this.moved, true);
    removeEventListener("resize", this.moved);
    helpers.delete(this.model);
    this.asking?.abort();
    this.tip.close();
    for (const one of this.bound) one.dispose();
  }

  /** The cursor is no longer where the list was put. */
  private readonly moved = (event: Event) => {
    const inside = event.target instanceof Element && event.target.closest(".monaco-editor, .editor-tip");
    if (inside) return;
    this.tip.close();
    this.editor.trigger("assist", "hideSuggestWidget", undefined);
  };

  /** Tab completes after a word and indents everywhere else; Shift-Tab tells about the name at the cursor. */
  private bind(): monaco.IDisposable[] {
    const afterName = this.editor.createContextKey("harbourAfterName", false);
    const afterText = this.editor.createContextKey("harbourAfterText", false);
    const look = () => {
      const [before, isAny] = [this.before(), this.assistant() !== undefined];
      afterName.set(isAny && goesOn.test(before));
      afterText.set(isAny && before.trim() !== "");
    };
    const plain = "!suggestWidgetVisible && !editorHasSelection && !editorTabMovesFocus && !editorReadonly && !inSnippetMode";
    const { Tab, Space } = monaco.KeyCode;
    const { Shift, WinCtrl, CtrlCmd } = monaco.KeyMod;
    look();
    return [
      this.editor.onDidChangeCursorSelection(look), this.editor.onDidFocusEditorText(look),
      this.editor.addAction({ id: "harbour.complete", label: "Complete the name", keybindings: [Tab], precondition: `harbourAfterName && ${plain}`, run: () => this.complete() }),
      this.editor.addAction({
        id: "harbour.complete-here", label: "List what can follow", keybindings: [...new Set([CtrlCmd | Space, WinCtrl | Space])],
        precondition: "!suggestWidgetVisible && !editorReadonly",
        run: () => this.assistant() ? this.complete() : this.editor.trigger("assist", "editor.action.triggerSuggest", undefined),
      }),
      this.editor.addAction({ id: "harbour.inspect", label: "Show the documentation", keybindings: [Shift | Tab], precondition: `harbourAfterText && ${plain}`, run: () => this.inspect() }),
    ];
  }

  /** Somebody asks how it goes on here, and is told also when nobody knows. */
  private async complete(): Promise<void> {
    if (!this.assistant()) return;
    this.tip.close();
    const [text, cursor] = [this.text(), this.offset()];
    const found = await this.ask((one, signal) => one.complete(text, pointsIn(text.slice(0, cursor)), signal));
    if (!found) return;
    if (found.busy) { this.tip.note(busy); return; }
    const [first, second] = found.matches;
    if (!first) { this.tip.note("Nothing is known to go on with here. A name is known once the cell that makes it has run."); return; }
    if (!second && !found.truncated) {
      const { from, to } = pieceOf(text, found, cursor);
      const range = monaco.Range.fromPositions(this.model.getPositionAt(from), this.model.getPositionAt(to));
      this.editor.pushUndoStop();
      this.editor.executeEdits("assist", [{ range, text: first.text, forceMoveMarkers: true }]);
      this.editor.pushUndoStop();
      return;
    }
    this.known = { version: this.model.getVersionId(), found };
    this.editor.trigger("assist", "editor.action.triggerSuggest", undefined);
  }

  /** What Monaco lists: what has just been answered, or what the kernel says now. Nobody has asked, so nobody is told of busy kernels. */
  async provide(position: monaco.Position, token: monaco.CancellationToken): Promise<monaco.languages.CompletionList | undefined> {
    const one = this.assistant();
    if (!one) return undefined;
    const [text, cursor] = [this.text(), this.model.getOffsetAt(position)];
    let found = this.known?.version === this.model.getVersionId() ? this.known.found : undefined;
    this.known = undefined;
    if (!found) {
      const controller = new AbortController();
      token.onCancellationRequested(() => controller.abort());
      // What cannot be asked is not listed; whoever wants to know why presses Tab.
      found = await one.complete(text, pointsIn(text.slice(0, cursor)), controller.signal).catch(() => undefined);
    }
    return found && !token.isCancellationRequested ? listOf(this.model, found, cursor) : undefined;
  }

  private async inspect(): Promise<void> {
    const [text, offset] = [this.text(), this.offset()];
    const detail = this.told?.offset === offset ? 1 : 0;
    const found = await this.ask((one, signal) => one.inspect(text, pointsIn(text.slice(0, offset)), detail, signal));
    if (!found) return;
    if (found.busy) { this.tip.note(busy); return; }
    if (!found.found || !found.text) { this.tip.note("Nothing is known of this name. It is known once the cell that makes it has run."); return; }
    this.tip.show(found.truncated ? `${found.text}\n…` : found.text, "Documentation");
    this.told = { offset, detail };
  }

  /** An answer, unless somebody has gone on writing meanwhile. */
  private async ask<Answer>(question: (one: Assistant, signal: AbortSignal) => Promise<Answer>): Promise<Answer | undefined> {
    const one = this.assistant();
    if (!one) return undefined;
    this.asking?.abort();
    const controller = new AbortController();
    this.asking = controller;
    const [version, offset] = [this.model.getVersionId(), this.offset()];
    const isOld = () => controller.signal.aborted || this.model.isDisposed() || this.model.getVersionId() !== version || this.offset() !== offset;
    const waiting = setTimeout(() => { if (!isOld()) this.tip.note("Asking the kernel…"); }, patience);
    try {
      const answer = await question(one, controller.signal);
      if (isOld()) return undefined;
      this.tip.close();
      return answer;
    } catch (error) {
      if (!isOld()) this.tip.note(error instanceof ApiError ? error.message : String(error));
      return undefined;
    } finally {
      clearTimeout(waiting);
    }
  }

  private text(): string { return this.model.getValue(monaco.editor.EndOfLinePreference.LF); }

  private offset(): number {
    const at = this.editor.getPosition();
    return at ? this.model.getOffsetAt(at) : 0;
  }

  /** What is on the line before the cursor. */
  private before(): string {
    const at = this.editor.getPosition();
    return at ? this.model.getLineContent(at.lineNumber).slice(0, at.column - 1) : "";
  }
}
