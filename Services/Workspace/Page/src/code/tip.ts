// A text beside the cursor of an editor. It goes away with the next letter, and by Esc.
import type { Editor as Instance } from "codemirror";
import { plain } from "../output/ansi";

/** Where what stands beside the cursor is put: what is in no landmark, readers of the screen may never come to. */
export function landmark(): HTMLElement { return document.querySelector("main") ?? document.body; }

export class Tip {
  private element: HTMLElement | undefined;
  private readonly keys: Record<string, () => void>;

  constructor(private readonly editor: Instance, private readonly closed: () => void) {
    const scroll = (pages: number) => () => { this.element?.scrollBy(0, pages * (this.element.clientHeight - 20)); };
    this.keys = { Esc: () => this.close(), PageDown: scroll(1), PageUp: scroll(-1) };
    for (const event of ["change", "cursorActivity"]) editor.on(event, () => this.close());
    editor.on("blur", (_, event) => {
      // Whoever marks a piece of the text has not left.
      const to = (event as FocusEvent | undefined)?.relatedTarget;
      if (!(to instanceof Node && this.element?.contains(to))) this.close();
    });
  }

  /** A note says what became of a question; anything else is an answer, which can be read and scrolled. */
  show(text: string, label: string, isNote = false): void {
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
    this.editor.addKeyMap(this.keys);
  }

  close(): void {
    const element = this.element;
    if (!element) return;
    this.element = undefined;
    this.editor.removeKeyMap(this.keys);
    element.remove();
    this.closed();
  }

  /** Under the cursor, or above it where there is more room. */
  private place(element: HTMLElement): void {
    const at = this.editor.cursorCoords(true, "window");
    const [width, height] = [document.documentElement.clientWidth, document.documentElement.clientHeight];
    const isBelow = height - at.bottom >= Math.min(element.offsetHeight + 8, at.top);
    element.style.maxHeight = `${Math.min(320, Math.max(60, (isBelow ? height - at.bottom : at.top) - 12))}px`;
    element.style.left = `${Math.max(8, Math.min(at.left, width - element.offsetWidth - 8))}px`;
    element.style.top = `${isBelow ? at.bottom + 4 : at.top - element.offsetHeight - 4}px`;
  }
}
