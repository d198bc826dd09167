// A text beside the cursor of an editor. It goes away with the next letter, and by Esc.
import { plain } from "../../output/ansi";

/** Where what stands beside the cursor is put: what is in no landmark, readers of the screen may never come to. */
export function landmark(): HTMLElement { return document.querySelector("main") ?? document.body; }

export class Tip {
  private element: HTMLElement | undefined;

  constructor(private readonly editor: monaco.editor.IStandaloneCodeEditor, private readonly closed: () => void) {
    editor.onDidChangeModelContent(() => this.close());
    editor.onDidChangeCursorPosition(() => this.close());
    editor.getContainerDomNode().addEventListener("focusout", (event) => {
      // Whoever marks a piece of the text has not left.
      if (!(event.relatedTarget instanceof Node && this.element?.contains(event.relatedTarget))) this.close();
    });
    editor.onKeyDown((event) => {
      const [element, key] = [this.element, event.browserEvent.key];
      if (!element || !["Escape", "PageDown", "PageUp"].includes(key)) return;
      event.preventDefault();
      event.stopPropagation();
      if (key === "Escape") this.close();
      else element.scrollBy(0, (key === "PageDown" ? 1 : -1) * (element.clientHeight - 20));
    });
  }

  /** Says what became of a question. */
  note(text: string): void { this.put(text, "Help", true); }

  /** Shows an answer, which can be read and scrolled. */
  show(text: string, label: string): void { this.put(text, label, false); }

  close(): void {
    const element = this.element;
    if (!element) return;
    this.element = undefined;
    element.remove();
    this.closed();
  }

  private put(text: string, label: string, isNote: boolean): void {
    this.close();
    const element = document.createElement("div");
    element.className = isNote ? "editor-tip note" : "editor-tip";
    element.setAttribute("role", isNote ? "status" : "region");
    element.setAttribute("aria-label", label);
    element.setAttribute("aria-live", "polite");
    if (!isNote) element.tabIndex = 0;
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.close();
      this.editor.focus();
    });
    element.addEventListener("focusout", () => this.close());
    landmark().append(element);
    element.textContent = plain(text);
    this.element = element;
    this.place(element);
  }

  /** Under the cursor, or above it where there is more room. */
  private place(element: HTMLElement): void {
    const [position, host] = [this.editor.getPosition(), this.editor.getDomNode()];
    const at = position && this.editor.getScrolledVisiblePosition(position);
    if (!at || !host) return;
    const around = host.getBoundingClientRect();
    const [left, top, bottom] = [around.left + at.left, around.top + at.top, around.top + at.top + at.height];
    const [width, height] = [document.documentElement.clientWidth, document.documentElement.clientHeight];
    const isBelow = height - bottom >= Math.min(element.offsetHeight + 8, top);
    element.style.maxHeight = `${Math.min(320, Math.max(60, (isBelow ? height - bottom : top) - 12))}px`;
    element.style.left = `${Math.max(8, Math.min(left, width - element.offsetWidth - 8))}px`;
    element.style.top = `${isBelow ? bottom + 4 : top - element.offsetHeight - 4}px`;
  }
}
