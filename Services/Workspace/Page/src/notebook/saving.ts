// How saving goes on: what happens to a notebook that is typed in, and what is to be done then. Nothing is done here.

export type SaveState = "saved" | "changed" | "saving" | "waiting" | "conflict" | "failed" | "gone";

export interface Saving {
  /**
   * saved: there is nothing to save. changed: it is sent in a moment. saving: it is on its way. waiting: the server was not
   * reached, it is sent again. conflict: a person has to decide, then it is `settled`. failed: it was refused, and is sent again
   * when something is typed or it is asked for. gone: the notebook is not there any more; it is sent when it is asked for.
   */
  state: SaveState;
  problem?: string;
  /** How often in a row the server was not reached. */
  misses: number;
}

export type Happening =
  | { kind: "typed" } | { kind: "due" } | { kind: "asked" } | { kind: "online" }
  | { kind: "saved"; isDirty: boolean } | { kind: "missed" } | { kind: "conflict" } | { kind: "refused"; problem: string }
  | { kind: "gone" } | { kind: "settled"; isDirty: boolean };

/** plan: send it after `delay` milliseconds, and not before. keep and drop: the draft in the browser. */
export type Action = { kind: "send" } | { kind: "plan"; delay: number } | { kind: "keep" } | { kind: "drop" };

export const saved: Saving = { state: "saved", misses: 0 };
/** It is saved when nothing was typed for so long. */
export const idle = 2000;
const longest = 30_000;

const changed: Saving = { state: "changed", misses: 0 };
const sending = (before: Saving): Saving => ({ state: "saving", misses: before.misses });

/** What becomes of it, and what is to be done. */
export function next(now: Saving, happening: Happening): [Saving, Action[]] {
  switch (happening.kind) {
    case "typed":
      switch (now.state) {
        case "saving": case "conflict": case "gone": case "waiting": return [now, [{ kind: "keep" }]];
        default: return [changed, [{ kind: "keep" }, { kind: "plan", delay: idle }]];
      }
    case "due": return now.state === "changed" || now.state === "waiting" ? [sending(now), [{ kind: "send" }]] : [now, []];
    case "online": return now.state === "waiting" ? [sending(now), [{ kind: "send" }]] : [now, []];
    case "asked": return now.state === "saving" || now.state === "conflict" ? [now, []] : [sending(now), [{ kind: "send" }]];
    case "saved": return happening.isDirty ? [changed, [{ kind: "keep" }, { kind: "plan", delay: idle }]] : [saved, [{ kind: "drop" }]];
    case "missed":
      return [{ state: "waiting", misses: now.misses + 1 }, [{ kind: "keep" }, { kind: "plan", delay: Math.min(idle * 2 ** now.misses, longest) }]];
    case "refused": return [{ state: "failed", problem: happening.problem, misses: 0 }, [{ kind: "keep" }]];
    case "conflict": return [{ state: "conflict", misses: 0 }, [{ kind: "keep" }]];
    case "gone": return [{ state: "gone", misses: 0 }, [{ kind: "keep" }]];
    default: return happening.isDirty ? [sending(saved), [{ kind: "send" }]] : [saved, [{ kind: "drop" }]];
  }
}
