// What is typed in this tab and not saved yet: kept in the browser while it is typed, and known to whoever ends the session.
import { tabID } from "../api/live";
import { type Draft, type Found, type Place, Shelf } from "./shelf";
import { otherTabs } from "./tabs";

/** What somebody edits. */
export interface Unsaved {
  name: string;
  isDirty: () => boolean;
  /** Saves it; false when that was not possible. */
  save: () => Promise<boolean>;
  /** Whether it is saved without being asked for. */
  savesItself: boolean;
  keep: () => void;
}

export const shelf = new Shelf(localStorage);
const edited = new Set<Unsaved>();
/** The drafts of what is edited here. */
const held = new Set<string>();
/** So long after something was typed it is kept, in milliseconds. */
const pause = 200;

/** Names what is edited, until the answer is called. */
export function edits(one: Unsaved): () => void {
  edited.add(one);
  return () => { edited.delete(one); };
}

/** Saves what saves itself. Answers what is not saved after that. */
export async function saveAll(isAsked = false): Promise<Unsaved[]> {
  await Promise.all([...edited].filter((one) => one.isDirty() && (isAsked || one.savesItself)).map((one) => one.save()));
  return [...edited].filter((one) => one.isDirty());
}

/** Keeps the draft of one thing that is edited in this tab. */
export class Keeper<T> {
  private readonly key: string;
  private timer: number | undefined;
  /** When something was typed last. */
  private typed = Date.now();
  /** Whether what was typed last is kept. */
  isKept = true;

  /** @param draft what there is to keep; none when all is saved. */
  constructor(readonly place: Place, private readonly draft: () => Omit<Draft<T>, "time"> | undefined) {
    this.key = shelf.keyOf(place, tabID);
  }

  open(): void { held.add(this.key); }

  close(): void {
    clearTimeout(this.timer);
    held.delete(this.key);
  }

  /** Something was typed. */
  soon(): void {
    this.typed = Date.now();
    this.timer ??= window.setTimeout(this.now, pause);
  }

  now = (): void => {
    clearTimeout(this.timer);
    this.timer = undefined;
    const draft = this.draft();
    if (draft) this.isKept = shelf.put(this.key, { time: this.typed, ...draft });
    else this.drop();
  };

  /** Drafts whose text is part of this one. */
  adopt(drafts: string[]): void {
    this.now();
    if (this.isKept) for (const key of drafts) if (key !== this.key) shelf.drop(key);
  }

  drop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.isKept = true;
    shelf.drop(this.key);
  }
}

/** The drafts of what nobody edits any more, the oldest first. */
export async function leftDrafts<T>(place: Place): Promise<Found<T>[]> {
  const tabs = await otherTabs();
  return shelf.of<T>(place).filter((one) => !tabs.has(one.tab) && !held.has(one.key));
}
