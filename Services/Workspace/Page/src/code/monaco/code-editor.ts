// One editor of Monaco's: as high as its text, with the keys that its user gives it.
import { EditorAction, EditorProps, Place, Standing, isMac } from "../editing";
import { Assist } from "./assist";
import { landmark } from "./tip";

type Instance = monaco.editor.IStandaloneCodeEditor;

const languages: Record<string, string> = {
  python: "python", py: "python", sql: "sql", sh: "shell", bash: "shell", pip: "shell", md: "markdown", json: "json", ipynb: "json", yaml: "yaml", yml: "yaml",
  scala: "scala", java: "java", r: "r", xml: "xml", html: "html", css: "css", js: "javascript", ini: "ini", toml: "ini", cfg: "ini", conf: "ini",
  swift: "swift", c: "cpp", h: "cpp", cpp: "cpp", dockerfile: "dockerfile",
};
/** A cell that is higher scrolls by itself: everything that is in sight of an editor is in the document. */
const tallest = 4000;
/** So many texts are remembered that were told of: as many as may be typed before anything is drawn anew. */
const mostTold = 50;
/** What the cursor keeps from the page's upper edge, where the notebook's bar is, and from the lower one. */
const [headroom, footroom] = [110, 40];

export class CodeEditor {
  private readonly editor: Instance;
  private readonly model: monaco.editor.ITextModel;
  private readonly assist: Assist;
  private readonly closing: Array<() => void> = [];
  private isSetting = false;
  /** Texts that were told of and have not come back yet, oldest first. */
  private told: string[] = [];
  /** When Monaco has scrolled by itself, the page follows. */
  private frame: number | undefined;

  constructor(private readonly place: HTMLElement, private readonly props: () => EditorProps, standing: Standing | undefined) {
    const { value, language, takesFocus } = props();
    const text = standing?.text ?? value;
    this.model = monaco.editor.createModel(text, languageOf(language));
    this.model.setEOL(monaco.editor.EndOfLineSequence.LF);
    const widgets = document.createElement("div");
    widgets.className = "monaco-editor editor-widgets";
    landmark().append(widgets);
    this.editor = monaco.editor.create(place, { ...optionsOf(props()), model: this.model, overflowWidgetsDomNode: widgets });
    mendRoles();
    const rows = new MutationObserver(mendRows);
    rows.observe(widgets, { subtree: true, attributeFilter: ["aria-activedescendant"] });
    this.assist = new Assist(this.editor, this.model, () => this.props().assistant);
    this.closing.push(() => rows.disconnect(), () => widgets.remove(), this.follow(), ...props().actions.map((one) => this.bind(one)));
    this.listen();
    this.layOut();
    const first = Math.min(props().cursor?.offset ?? Infinity, text.length);
    const [start, end] = standing ? [standing.start, standing.end] : [first, first];
    this.editor.setSelection(monaco.Range.fromPositions(this.model.getPositionAt(start), this.model.getPositionAt(end)));
    if (standing ? standing.hasFocus : takesFocus) this.editor.focus();
    this.keepInSight();
  }

  close(): void {
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
    this.assist.close();
    for (const one of this.closing) one();
    this.editor.dispose();
    this.model.dispose();
    this.place.style.height = "";
  }

  /**
   * What others have made of the text; it can be undone like what is typed. What comes back of what was typed here is no news,
   * also where more has been typed since.
   */
  setText(text: string): void {
    const at = this.told.indexOf(text);
    this.told = at < 0 ? [] : this.told.slice(at + 1);
    if (at < 0 && this.text() !== text) this.replace(text);
  }

  private replace(text: string): void {
    const at = this.editor.getSelections();
    this.isSetting = true;
    this.model.pushEditOperations(at, [{ range: this.model.getFullModelRange(), text }], () => at);
    this.isSetting = false;
    if (at) this.editor.setSelections(at);
  }

  setLanguage(language: string): void { monaco.editor.setModelLanguage(this.model, languageOf(language)); }

  /** Puts the keyboard at a line, which is marked and in sight. */
  goTo(line: number): void {
    const number = Math.max(1, Math.min(this.model.getLineCount(), line));
    this.editor.setSelection(new monaco.Range(number, 1, number, this.model.getLineMaxColumn(number)));
    this.editor.revealLineInCenterIfOutsideViewport(number);
    this.editor.focus();
    const top = this.place.getBoundingClientRect().top + this.editor.getTopForLineNumber(number) - this.editor.getScrollTop();
    if (top < innerHeight / 8 || top > innerHeight * 0.85) document.scrollingElement?.scrollBy(0, top - innerHeight / 3);
  }

  private text(): string { return this.model.getValue(monaco.editor.EndOfLinePreference.LF); }

  private placeNow(): Place {
    const selection = this.editor.getSelection();
    const at = this.editor.getPosition();
    return {
      text: this.text(), offset: at ? this.model.getOffsetAt(at) : 0,
      selection: selection ? this.marked(selection) : "",
    };
  }

  private marked(range: monaco.IRange): string { return this.model.getValueInRange(range, monaco.editor.EndOfLinePreference.LF); }

  private listen(): void {
    this.model.onDidChangeContent(() => {
      if (this.isSetting) return;
      const text = this.text();
      this.told = [...this.told, text].slice(-mostTold);
      this.props().onChange(text);
    });
    this.editor.onDidChangeCursorSelection((event) => {
      const { cursor, onSelect } = this.props();
      if (cursor) cursor.offset = this.model.getOffsetAt(event.selection.getPosition());
      onSelect?.(this.marked(event.selection));
      // Whoever points sees where.
      if (event.source !== "mouse" && !this.isSetting) this.frame ??= requestAnimationFrame(() => this.keepInSight());
    });
    this.editor.onDidContentSizeChange((event) => { if (event.contentHeightChanged) this.layOut(); });
    if (this.props().shape !== "page") {
      // The browser finds in the whole notebook; Monaco would only in this cell.
      this.editor.onKeyDown((event) => {
        if (event.browserEvent.key === "f" && (isMac ? event.metaKey : event.ctrlKey) && !event.shiftKey && !event.altKey) event.stopPropagation();
      });
    }
    const seen = new ResizeObserver(() => this.layOut());
    seen.observe(this.place);
    this.closing.push(() => seen.disconnect());
  }

  /** A cell is as high as its text, so that the page has to scroll to the cursor where Monaco need not. */
  private keepInSight(): void {
    this.frame = undefined;
    const at = this.editor.getPosition();
    const seen = at && this.props().shape !== "page" && this.editor.hasTextFocus() ? this.editor.getScrolledVisiblePosition(at) : null;
    if (!seen) return;
    const top = this.place.getBoundingClientRect().top + seen.top;
    const [highest, lowest] = [headroom, innerHeight - seen.height - footroom];
    if (top < highest) document.scrollingElement?.scrollBy(0, top - highest);
    else if (top > lowest) document.scrollingElement?.scrollBy(0, top - lowest);
  }

  private layOut(): void {
    if (this.props().shape !== "page") this.place.style.height = `${Math.min(tallest, this.editor.getContentHeight()) + this.place.offsetHeight - this.place.clientHeight}px`;
    this.editor.layout({ width: this.place.clientWidth, height: this.place.clientHeight });
  }

  /** Tells Monaco's rules about keys where the cursor is. Answers how to stop. */
  private follow(): () => void {
    const atStart = this.editor.createContextKey("harbourAtStart", false);
    const atEnd = this.editor.createContextKey("harbourAtEnd", false);
    const look = () => {
      const selection = this.editor.getSelection();
      const at = selection?.isEmpty() ? selection.getPosition() : undefined;
      atStart.set(at?.lineNumber === 1 && at.column === 1);
      atEnd.set(at?.equals(this.model.getFullModelRange().getEndPosition()) ?? false);
    };
    const moved = this.editor.onDidChangeCursorSelection(look);
    const changed = this.model.onDidChangeContent(look);
    look();
    return () => { moved.dispose(); changed.dispose(); };
  }

  private bind(action: EditorAction): () => void {
    const rules = [];
    if (action.where) rules.push(action.where === "start" ? "harbourAtStart" : "harbourAtEnd", "!suggestWidgetVisible");
    // What is open goes first.
    if (action.keys.includes("Escape")) rules.push("!suggestWidgetVisible", "!findWidgetVisible", "!parameterHintsVisible", "!editorHasMultipleSelections", "!renameInputVisible", "!inSnippetMode");
    const bound = this.editor.addAction({
      id: `harbour.${action.id}`, label: action.label, keybindings: [...new Set(action.keys.map(chordOf))],
      ...(rules.length > 0 ? { precondition: rules.join(" && ") } : {}),
      // What it does may have changed since: it is looked up.
      run: () => { this.props().actions.find((one) => one.id === action.id)?.run(this.placeNow()); },
    });
    return () => bound.dispose();
  }
}

/** Monaco says what it has to say in two landmarks without a name; these are no places to go to. */
function mendRoles(): void {
  for (const one of document.querySelectorAll(".monaco-status[role=complementary]")) one.setAttribute("role", "status");
}

/** The list of suggestions gives its row another id than the list tells; the field, which has the focus, tells the right one. */
function mendRows(changes: MutationRecord[]): void {
  for (const { target } of changes) {
    const row = target instanceof Element ? target.getAttribute("aria-activedescendant") : null;
    if (row && !document.getElementById(row)) (target as Element).removeAttribute("aria-activedescendant");
  }
}

function languageOf(name: string): string { return languages[name] ?? "plaintext"; }

function chordOf(key: string): number {
  const parts = key.split("+");
  const name = parts.pop() ?? "";
  const names: Record<string, monaco.KeyCode> = { Up: monaco.KeyCode.UpArrow, Down: monaco.KeyCode.DownArrow };
  const code = names[name] ?? (/^[A-Z]$/.test(name) ? monaco.KeyCode[`Key${name}` as keyof typeof monaco.KeyCode] : monaco.KeyCode[name as keyof typeof monaco.KeyCode]);
  return parts.reduce((sum, part) => sum | modifierOf(part), code);
}

function modifierOf(name: string): number {
  switch (name) {
    case "Mod": return monaco.KeyMod.CtrlCmd;
    case "Ctrl": return isMac ? monaco.KeyMod.WinCtrl : monaco.KeyMod.CtrlCmd;
    case "Shift": return monaco.KeyMod.Shift;
    default: return monaco.KeyMod.Alt;
  }
}

function optionsOf({ label, language, shape, assistant }: EditorProps): monaco.editor.IStandaloneEditorConstructionOptions {
  const isPage = shape === "page";
  return {
    theme: "harbour", ariaLabel: label, fontSize: 12.5, lineHeight: 19,
    fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono").trim(),
    // What is written stands where it stood as mere text.
    padding: { top: 9, bottom: 9 }, lineDecorationsWidth: isPage ? 16 : 12, lineNumbers: isPage ? "on" : "off", lineNumbersMinChars: isPage ? 4 : 0,
    glyphMargin: false, folding: isPage, minimap: { enabled: false }, renderLineHighlight: "none", overviewRulerLanes: 0, overviewRulerBorder: false,
    hideCursorInOverviewRuler: true, scrollBeyondLastLine: false, scrollbar: { alwaysConsumeMouseWheel: false, useShadows: false },
    wordWrap: language === "md" ? "on" : "off", tabSize: 4, insertSpaces: true, detectIndentation: isPage, autoIndent: "advanced",
    guides: { indentation: isPage }, bracketPairColorization: { enabled: false }, fixedOverflowWidgets: true, contextmenu: true,
    links: false, occurrencesHighlight: true, quickSuggestions: !assistant && language !== "md", wordBasedSuggestions: !assistant,
    suggest: { showStatusBar: false }, unicodeHighlight: { ambiguousCharacters: false },
  };
}
