// What was typed and is not saved, as the browser keeps it: for each user, object and tab one draft, and not without bounds.

/** As much of `localStorage` as is needed here. */
export type Keeping = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

/** What a draft is of. */
export interface Place { user: string; kind: "notebook" | "file" | "sql"; id: string }

export interface Draft<T> {
  /** When it was typed, in milliseconds since 1970. */
  time: number;
  /** Where the object was. */
  path: string;
  content: T;
}

/** A draft that was found, and where. */
export interface Found<T> extends Draft<T> { key: string; tab: string; id: string }

const start = "harbour.draft/";
/** Code units of one draft, of all together, how many there are, and for how long. */
export const bounds = { one: 1_500_000, all: 4_000_000, count: 64, age: 30 * 24 * 3600_000 };

const encoded = (...parts: string[]) => parts.map(encodeURIComponent).join("/");

export class Shelf {
  constructor(private readonly keeping: Keeping, private readonly now: () => number = Date.now) {}

  keyOf({ user, kind, id }: Place, tab: string): string { return start + encoded(user, kind, id, tab); }

  /**
   * Keeps a draft in place of the one that is there. The oldest of others go where there is no room.
   *
   * @returns whether the browser could keep it.
   */
  put<T>(key: string, draft: Draft<T>): boolean {
    const { time, ...rest } = draft;
    const text = JSON.stringify({ time, ...rest });
    if (text.length > bounds.one) { this.drop(key); return false; }
    const others = this.all().filter((one) => one.key !== key);
    let size = others.reduce((sum, one) => sum + one.size, text.length);
    for (const [index, one] of others.entries()) {
      if (this.now() - one.time <= bounds.age && size <= bounds.all && others.length - index < bounds.count) break;
      this.drop(one.key);
      size -= one.size;
    }
    if (this.set(key, text)) return true;
    // The browser has less room than we would take.
    for (const victim of this.all()) {
      if (victim.key === key) continue;
      this.drop(victim.key);
      if (this.set(key, text)) return true;
    }
    return false;
  }

  private set(key: string, text: string): boolean {
    try {
      this.keeping.setItem(key, text);
      return true;
    } catch {
      return false;
    }
  }

  drop(key: string): void { this.keeping.removeItem(key); }

  /** The drafts of a place, the oldest first; those that cannot be read are no drafts. */
  of<T>(place: Place): Found<T>[] { return this.read<T>(`${start}${encoded(place.user, place.kind, place.id)}/`); }

  /** The drafts of a user that are of what was at a path. */
  at<T>(user: string, kind: Place["kind"], path: string): Found<T>[] {
    return this.read<T>(`${start}${encoded(user, kind)}/`).filter((one) => one.path === path);
  }

  private read<T>(prefix: string): Found<T>[] {
    return this.keys(prefix).flatMap((key) => {
      const draft = this.parse(key) as Draft<T> | undefined;
      const [id, tab] = key.split("/").slice(-2).map(decodeURIComponent);
      return draft && id !== undefined && tab !== undefined ? [{ ...draft, key, id, tab }] : [];
    }).filter((one) => this.now() - one.time <= bounds.age).sort((one, other) => one.time - other.time);
  }

  private parse(key: string): Draft<unknown> | undefined {
    try {
      const draft = JSON.parse(this.keeping.getItem(key) ?? "null") as Draft<unknown> | null;
      return draft && typeof draft.time === "number" && typeof draft.path === "string" && draft.content ? draft : undefined;
    } catch {
      return undefined;
    }
  }

  private keys(prefix: string): string[] {
    return Array.from({ length: this.keeping.length }, (_, index) => this.keeping.key(index) ?? "").filter((key) => key.startsWith(prefix));
  }

  /** Everybody's drafts, the oldest first. The time is what each begins with: all that is typed anywhere is not read for every letter. */
  private all(): Array<{ key: string; time: number; size: number }> {
    return this.keys(start).map((key) => {
      const text = this.keeping.getItem(key) ?? "";
      return { key, time: Number(/^\{"time":(\d+)[,}]/.exec(text)?.[1] ?? this.parse(key)?.time ?? 0), size: text.length };
    }).sort((one, other) => one.time - other.time);
  }
}
