// What an editor is to whoever uses one: the same for Monaco and for the plain field that stands in for it.
import type { Assistant } from "./assist";

/** Where the cursor is when a key is pressed. */
export interface Place {
  text: string;
  /** Of the cursor, in code units. */
  offset: number;
  selection: string;
}

/** Something that keys do besides editing. */
export interface EditorAction {
  id: string;
  /** Its name for people; Monaco lists it in its palette. */
  label: string;
  /** Such as `Shift+Enter`. `Mod` is the command key on a Mac, and Ctrl elsewhere. */
  keys: string[];
  /** Only where the cursor is at one end of the text, and nothing is selected. */
  where?: "start" | "end";
  run: (place: Place) => void;
}

export interface EditorProps {
  value: string;
  /** As cells and files have it: python, sql, md, sh, or a file name's ending. */
  language: string;
  label: string;
  onChange: (text: string) => void;
  /** Hears what is selected, when that changes; empty when nothing is. */
  onSelect?: (text: string) => void;
  /** Who knows how names go on, where anybody does. */
  assistant?: Assistant;
  actions: EditorAction[];
  /** A cell is as high as its text and leaves searching to the browser; a page has numbered lines and scrolls by itself. */
  shape?: "cell" | "page";
  /** Whether whoever opened it is about to write. */
  takesFocus?: boolean;
  /** Where the cursor begins, in code units; follows it, so that the next editor of this text begins there. */
  cursor?: { offset: number };
  /** A line to go to, counted from one; an object of its own each time. */
  at?: { line: number };
}

/** What is kept of an editor that another takes the place of. */
export interface Standing {
  text: string;
  start: number;
  end: number;
  hasFocus: boolean;
}

export const isMac = /Mac|iPhone|iPad/.test(navigator.platform);

/** Whether a key that was pressed is one of an action's. */
export function isPressed(event: KeyboardEvent, key: string): boolean {
  const parts = key.split("+");
  const name = parts.pop() ?? "";
  const wanted = { ctrl: false, meta: false, shift: false, alt: false };
  for (const part of parts) {
    if (part === "Mod") wanted[isMac ? "meta" : "ctrl"] = true;
    else wanted[part.toLowerCase() as keyof typeof wanted] = true;
  }
  return event.ctrlKey === wanted.ctrl && event.metaKey === wanted.meta && event.shiftKey === wanted.shift && event.altKey === wanted.alt
    && event.key.toLowerCase() === name.toLowerCase().replace(/^(up|down)$/, "arrow$1").replace("minus", wanted.shift ? "_" : "-");
}
