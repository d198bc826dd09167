// As much of CodeMirror 5 as is used here; Debian has no types for it.
declare module "codemirror" {
  export interface Position { line: number; ch: number }
  export interface Editor {
    getValue(): string;
    setValue(text: string): void;
    setOption(name: string, value: unknown): void;
    getCursor(): Position;
    setCursor(position: Position): void;
    lineCount(): number;
    getLine(line: number): string;
    indexFromPos(position: Position): number;
    somethingSelected(): boolean;
    getSelection(): string;
    execCommand(name: string): void;
    operation(work: () => void): void;
    focus(): void;
    refresh(): void;
    on(event: string, listener: (...values: unknown[]) => void): void;
    getInputField(): HTMLElement;
    posFromIndex(index: number): Position;
    cursorCoords(start: boolean, mode: "window"): { left: number; top: number; bottom: number };
    addKeyMap(keys: Record<string, unknown>): void;
    removeKeyMap(keys: Record<string, unknown>): void;
    /** Of addon/hint/show-hint. */
    showHint(options: { hint: () => Promise<Hints | null>; closeCharacters: RegExp; completeSingle: boolean; container: HTMLElement }): void;
    closeHint(): void;
  }
  export interface Hints {
    list: Array<{ text: string; render: (row: HTMLElement) => void }>;
    from: Position;
    to: Position;
  }
  interface CodeMirror {
    (place: HTMLElement, options: Record<string, unknown>): Editor;
    Pass: unknown;
    on(emitter: object, event: string, listener: () => void): void;
  }
  const CodeMirror: CodeMirror;
  export default CodeMirror;
}
declare module "codemirror/mode/*";
declare module "codemirror/addon/*";
