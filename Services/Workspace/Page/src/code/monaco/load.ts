// Loads Monaco and dresses it in the colours of the page.
import { defineStylesElement } from "./styles-element";

/** Where the build has put it. */
declare const MONACO_FOLDER: string;

/** The loader that Monaco brings with it. */
interface ModuleLoader {
  (names: string[], loaded: () => void, failed: (error: unknown) => void): void;
  config: (options: { paths: Record<string, string> }) => void;
}

let loading: Promise<void> | undefined;

/** Ready once it resolves; the global `monaco` is there then. Asked for again after a failure, it tries again. */
export function load(): Promise<void> {
  loading ??= begin().catch((error: unknown) => { loading = undefined; throw error; });
  return loading;
}

async function begin(): Promise<void> {
  const scope = globalThis as unknown as { require?: ModuleLoader };
  if (!scope.require) {
    await addScript(`/assets/${MONACO_FOLDER}/vs/loader.js`);
    defineStylesElement();
  }
  const require = scope.require;
  if (!require) throw new Error("Monaco's loader is not what it was.");
  require.config({ paths: { vs: `/assets/${MONACO_FOLDER}/vs` } });
  await new Promise<void>((resolve, reject) => require(["vs/editor/editor.main"], resolve, reject));
  dress();
  new MutationObserver(dress).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}

function addScript(address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.addEventListener("load", () => resolve());
    script.addEventListener("error", () => { script.remove(); reject(new Error(`${address} could not be loaded.`)); });
    document.head.append(script);
  });
}

/** Which of the page's colours for code each kind of word has. */
const words: Record<string, string> = {
  keyword: "keyword", "keyword.json": "keyword", operator: "text", "operator.sql": "keyword", string: "string", "string.key": "name", "string.value": "string",
  number: "number", comment: "comment", type: "name", predefined: "name", function: "name", tag: "magic", metatag: "magic", annotation: "magic",
  "keyword.md": "name", "variable.md": "magic", variable: "magic", key: "name",
};
const surfaces: Record<string, string> = {
  "editor.background": "surface", "editor.foreground": "text", "editorCursor.foreground": "accent", "editor.selectionBackground": "accent-ground",
  "editor.inactiveSelectionBackground": "idle-ground", "editor.selectionHighlightBackground": "idle-ground", "editor.wordHighlightBackground": "idle-ground",
  "editor.wordHighlightStrongBackground": "idle-ground", "editor.findMatchBackground": "warn-ground", "editor.findMatchHighlightBackground": "warn-ground",
  "editorBracketMatch.background": "accent-ground", "editorBracketMatch.border": "accent-ground", "editorLineNumber.foreground": "text-soft",
  "editorLineNumber.activeForeground": "text", "editorIndentGuide.background": "line", "editorIndentGuide.activeBackground": "line-strong",
  "editorWidget.background": "raised", "editorWidget.foreground": "text", "editorWidget.border": "line-strong", "editorSuggestWidget.background": "raised",
  "editorSuggestWidget.border": "line-strong", "editorSuggestWidget.foreground": "text", "editorSuggestWidget.selectedBackground": "accent-ground",
  "editorSuggestWidget.selectedForeground": "text", "editorSuggestWidget.highlightForeground": "accent", "editorSuggestWidget.focusHighlightForeground": "accent",
  "editorHoverWidget.background": "raised", "editorHoverWidget.border": "line-strong", "input.background": "surface", "input.foreground": "text",
  "input.border": "line-strong", "input.placeholderForeground": "text-soft", focusBorder: "accent", "list.hoverBackground": "sunken",
  "list.focusBackground": "accent-ground", "list.focusForeground": "text", "list.highlightForeground": "accent", "quickInput.background": "raised",
  "quickInput.foreground": "text", "quickInputList.focusBackground": "accent-ground", "quickInputList.focusForeground": "text", "menu.background": "raised",
  "menu.foreground": "text", "menu.selectionBackground": "accent-ground", "menu.selectionForeground": "text", descriptionForeground: "text-soft",
};

/** Gives Monaco the colours that the page has now. */
function dress(): void {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const isDark = document.documentElement.dataset.theme === "dark";
  monaco.editor.defineTheme("harbour", {
    base: isDark ? "vs-dark" : "vs", inherit: false,
    rules: [
      { token: "", foreground: color("text").slice(1) },
      ...Object.entries(words).map(([token, name]) => ({ token, foreground: color(name === "text" ? name : `code-${name}`).slice(1) })),
      { token: "strong", foreground: color("text").slice(1), fontStyle: "bold" }, { token: "emphasis", foreground: color("text").slice(1), fontStyle: "italic" },
    ],
    colors: Object.fromEntries(Object.entries(surfaces).map(([part, name]) => [part, color(name)])),
  });
  monaco.editor.setTheme("harbour");
}
