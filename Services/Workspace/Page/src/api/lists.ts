// The lists that are followed as a whole: whoever shows one is told when it has to be read again.
import { live } from "./live";

export type LiveList = "runs" | "jobs" | "clusters";

interface Followers { listeners: Set<() => void>; end: () => void; timer?: number }

const followed = new Map<LiveList, Followers>();
/** For how long a list is followed on that nobody shows any more: the next page often shows it again. */
const linger = 10000;

/** Calls the listener when a list has changed, and when changes may have been missed; the answer ends that. */
export function onListChange(list: LiveList, listener: () => void): () => void {
  const all = followed.get(list) ?? begin(list);
  clearTimeout(all.timer);
  all.listeners.add(listener);
  return () => {
    all.listeners.delete(listener);
    if (all.listeners.size > 0) return;
    all.timer = window.setTimeout(() => { followed.delete(list); all.end(); }, linger);
  };
}

function begin(list: LiveList): Followers {
  const listeners = new Set<() => void>();
  const end = live.follow(list, {
    onMessage: (message) => {
      if (message.type === "CHANGED" || message.type === "SUBSCRIBED") for (const listener of [...listeners]) listener();
    },
  });
  const all: Followers = { listeners, end };
  followed.set(list, all);
  return all;
}
