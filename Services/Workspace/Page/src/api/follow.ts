// Follows a numbered stream through broken connections and restarts of the server, each element once and in order.
//
// A tab that nobody sees lets go of its streams: a browser allows six connections to one server, shared by all tabs, so
// that forgotten tabs would starve the one in front. It resumes where it was when it is seen again.
import { ApiError, Input, Output, StreamName, elements } from "./client";
import { connection } from "./connection";

const hiddenAfter = 15000;

function visible(signal: AbortSignal): Promise<void> {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const done = () => {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", done);
      resolve();
    };
    document.addEventListener("visibilitychange", done);
    signal.addEventListener("abort", () => {
      document.removeEventListener("visibilitychange", done);
      reject(new DOMException("stopped", "AbortError"));
    });
  });
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => { clearTimeout(timer); reject(new DOMException("stopped", "AbortError")); });
  });
}

/** One connection's part of a stream; ends early when the tab has been hidden for a while. */
async function part<K extends StreamName>(
  name: K, input: Input<K>, outer: AbortSignal, onElement: (element: Output<K>) => boolean, staysWhenHidden: boolean
): Promise<"ended" | "hidden"> {
  const inner = new AbortController();
  const stop = () => inner.abort();
  let timer: number | undefined;
  let isHidden = false;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden && !staysWhenHidden) timer = window.setTimeout(() => { isHidden = true; stop(); }, hiddenAfter);
  };
  outer.addEventListener("abort", stop);
  document.addEventListener("visibilitychange", look);
  look();
  try {
    for await (const element of elements(name, input, inner.signal)) if (onElement(element)) break;
    return "ended";
  } catch (error) {
    if (isHidden && !outer.aborted) return "hidden";
    throw error;
  } finally {
    clearTimeout(timer);
    outer.removeEventListener("abort", stop);
    document.removeEventListener("visibilitychange", look);
  }
}

/**
 * Follows until `isDone` says so (without it: until the stream ends) or the signal stops it. `input` is asked before each
 * connection, with the number of the last element that was seen. What others wait for, as a queue of cells does, stays when
 * the tab is hidden.
 */
export async function follow<K extends StreamName>(
  name: K, input: (after: number) => Input<K>, signal: AbortSignal,
  onElement: (element: Output<K>) => void, isDone?: () => boolean, staysWhenHidden = false
): Promise<void> {
  let after = 0;
  let delay = 250;
  while (!signal.aborted) {
    try {
      if (!staysWhenHidden) await visible(signal);
      await connection.whenOnline(signal);
      const end = await part(name, input(after), signal, (element) => {
        const sequence = (element as { sequence?: number }).sequence;
        if (sequence !== undefined) {
          if (sequence <= after) return false;
          after = sequence;
        }
        delay = 250;
        onElement(element);
        return isDone?.() === true;
      }, staysWhenHidden);
      if (end === "ended" && (isDone === undefined || isDone())) return;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError) || !error.isPassing) throw error;
    }
    try { await pause(delay, signal); } catch { return; }
    delay = Math.min(delay * 2, 5000);
  }
}
