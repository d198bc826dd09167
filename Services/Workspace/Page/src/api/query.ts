// Reading: what was read last is shown at once, and read again when it may have changed.
import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError } from "./client";
import { connection } from "./connection";

export interface Query<T> {
  data?: T;
  error?: ApiError;
  isLoading: boolean;
  refresh: () => void;
  /** Puts in what is known already, as after a change. */
  set: (data: T) => void;
}

const remembered = new Map<string, unknown>();
const rememberedLimit = 100;

/** Forgets everything, as when another user signs in. */
export function forgetAll(): void { remembered.clear(); }

/**
 * Reads under a key, and again each `every` milliseconds while the tab is seen, when it comes back into sight, and when
 * the connection is back.
 */
export function useQuery<T>(
  key: string | null, read: (signal: AbortSignal) => Promise<T>, every?: number | ((data: T | undefined) => number | undefined)
): Query<T> {
  const [state, setState] = useState<{ key: string | null; data?: T; error?: ApiError; isLoading: boolean }>(
    () => ({ key, data: key === null ? undefined : remembered.get(key) as T | undefined, isLoading: key !== null }));
  const reader = useRef(read);
  reader.current = read;
  const running = useRef<AbortController>();
  const current = state.key === key ? state : {
    key, data: key === null ? undefined : remembered.get(key) as T | undefined, isLoading: key !== null,
  };

  const refresh = useCallback(() => {
    if (key === null) return;
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    reader.current(controller.signal).then((data) => {
      if (controller.signal.aborted) return;
      if (remembered.size >= rememberedLimit) remembered.clear();
      remembered.set(key, data);
      setState({ key, data, isLoading: false });
    }, (error: unknown) => {
      if (controller.signal.aborted) return;
      const known = error instanceof ApiError ? error : new ApiError("PAGE_ERROR", String(error), 500);
      setState((before) => ({
        key, data: before.key === key ? before.data : remembered.get(key) as T | undefined, error: known, isLoading: false,
      }));
    });
  }, [key]);

  useEffect(() => {
    refresh();
    return () => running.current?.abort();
  }, [refresh]);

  const interval = typeof every === "function" ? every(current.data) : every;
  useEffect(() => {
    if (key === null) return undefined;
    const again = () => { if (!document.hidden && connection.isOnline) refresh(); };
    const timer = interval ? setInterval(again, interval) : undefined;
    document.addEventListener("visibilitychange", again);
    const stop = connection.subscribe(again);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", again);
      stop();
    };
  }, [key, interval, refresh]);

  const set = useCallback((data: T) => {
    if (key === null) return;
    running.current?.abort();
    remembered.set(key, data);
    setState({ key, data, isLoading: false });
  }, [key]);

  return { data: current.data, error: (current as { error?: ApiError }).error, isLoading: current.isLoading, refresh, set };
}
