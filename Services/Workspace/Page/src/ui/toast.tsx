// Short notices at the edge, each said to screen readers too, with an undo where there is one.
import { useEffect, useRef, useSyncExternalStore } from "react";
import { ApiError } from "../api/client";
import { Button } from "./parts";

interface Toast { id: number; text: string; tone: "good" | "bad" | "plain" | "busy"; action?: { text: string; run: () => void } }

let toasts: Toast[] = [];
let last = 0;
const listeners = new Set<() => void>();
const tell = () => { for (const listener of [...listeners]) listener(); };

export function toast(text: string, tone: Toast["tone"] = "good", action?: Toast["action"]): number {
  last += 1;
  toasts = [...toasts.slice(-3), { id: last, text, tone, action }];
  tell();
  return last;
}

/** After this long without a word, somebody takes it that nothing happens; in milliseconds. */
const wordless = 1000;

/** Says what is under way, where that takes its time, until it has ended. */
export async function toastWhile<T>(text: string, work: Promise<T>): Promise<T> {
  let shown: number | undefined;
  const timer = setTimeout(() => { shown = toast(text, "busy"); }, wordless);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
    if (shown !== undefined) dismiss(shown);
  }
}

/** Shows why something did not work. */
export function toastError(error: unknown): void {
  if (error instanceof DOMException && error.name === "AbortError") return;
  toast(error instanceof ApiError || error instanceof Error ? error.message : String(error), "bad");
}

function dismiss(id: number): void {
  toasts = toasts.filter((one) => one.id !== id);
  tell();
}

/** When the pointer last moved over notices: one that only rests where they come is not at them. */
let movedAt = -Infinity;
const rest = 60_000;

function isAtThem(all: Element | null | undefined): boolean {
  return all?.matches(":focus-within") || (all?.matches(":hover") && performance.now() - movedAt < rest) || false;
}

function One({ one }: { one: Toast }) {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (one.tone === "busy") return undefined;
    const end = () => {
      // Not while somebody is at it, or at one beside it, which would move.
      if (isAtThem(element.current?.parentElement)) timer = setTimeout(end, 2000);
      else dismiss(one.id);
    };
    let timer = setTimeout(end, one.tone === "bad" || one.action ? 12000 : 6000);
    return () => clearTimeout(timer);
  }, [one]);
  return (
    <div ref={element} className={`toast ${one.tone}`}>
      {one.tone === "busy" && <span className="spinner" />}
      <div className="grow">{one.text}</div>
      {one.action && <Button isSmall onClick={() => { one.action?.run(); dismiss(one.id); }}>{one.action.text}</Button>}
      <Button isSmall tone="quiet" icon="close" aria-label="Dismiss" onClick={() => dismiss(one.id)} />
    </div>
  );
}

export function Toasts() {
  const shown = useSyncExternalStore(
    (listener) => { listeners.add(listener); return () => { listeners.delete(listener); }; }, () => toasts);
  return <div className="toasts" role="status" aria-live="polite" onPointerMove={() => { movedAt = performance.now(); }}>{shown.map((one) => <One key={one.id} one={one} />)}</div>;
}
