// Reading: what was read last is shown at once, and read again when it may have changed.
import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError } from "./client";
import { connection } from "./connection";
import { LiveList, onListChange } from "./lists";

export interface Query<T> {
  data?: T;
  error?: ApiError;
  isLoading: boolean;
  /** Reads anew: what is under way is not waited for. */
  refresh: () => void;
  /** Reads once more when there is news, after what is under way: however often there is some, that comes to its end. */
  renew: () => void;
  /** Puts in what is known already, as after a change. */
  set: (data: T) => void;
}

const remembered = new Map<string, unknown>();
const rememberedLimit = 100;
/** So long after a request broke it is sent again, and at most when it does so again and again, in milliseconds. */
const [patience, mostPatience] = [3000, 30000];

/** Forgets everything, as when another user signs in. */
export function forgetAll(): void { remembered.clear(); }

/** Puts in what is known already, for whoever reads under that key next. */
export function remember(key: string, data: unknown): void { remembered.set(key, data); }

/**
 * Reads under a key, and again when the tab comes back into sight, when the connection is back, and while the tab is seen:
 * whenever lists of the server's have changed, or, of what nobody tells, after so many milliseconds, which may depend on
 * what was read.
 */
export function useQuery<T>(
  key: string | null, read: (signal: AbortSignal) => Promise<T>, when?: LiveList | LiveList[] | number | ((data: T | undefined) => number)
): Query<T> {
  const [state, setState] = useState<{ key: string | null; data?: T; error?: ApiError; isLoading: boolean }>(
    () => ({ key, data: key === null ? undefined : remembered.get(key) as T | undefined, isLoading: key !== null }));
  const reader = useRef(read);
  reader.current = read;
  const running = useRef<AbortController>();
  /** Whether there was news since what is running has begun: it is read once more then, and not broken off again and again. */
  const isOld = useRef(false);
  const shown = useRef(key);
  shown.current = key;
  const current = state.key === key ? state : {
    key, data: key === null ? undefined : remembered.get(key) as T | undefined, isLoading: key !== null,
  };

  const refresh = useCallback(() => {
    if (key === null) return;
    // Whoever asks after going on to something else means what was there: it is read when somebody comes back to it.
    if (shown.current !== key) { remembered.delete(key); return; }
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    isOld.current = false;
    const isOver = () => {
      if (controller.signal.aborted) return true;
      running.current = undefined;
      if (isOld.current) refresh();
      return false;
    };
    reader.current(controller.signal).then((data) => {
      if (isOver()) return;
      if (remembered.size >= rememberedLimit) remembered.clear();
      remembered.set(key, data);
      setState({ key, data, isLoading: false });
    }, (error: unknown) => {
      if (isOver()) return;
      const known = error instanceof ApiError ? error : new ApiError("PAGE_ERROR", String(error), 500);
      setState((before) => ({
        key, data: before.key === key ? before.data : remembered.get(key) as T | undefined, error: known, isLoading: false,
      }));
    });
  }, [key]);

  useEffect(() => {
    refresh();
    return () => { running.current?.abort(); running.current = undefined; };
  }, [refresh]);

  const renew = useCallback(() => {
    if (running.current) isOld.current = true;
    else refresh();
  }, [refresh]);

  const { error } = current as { error?: ApiError };
  const failures = useRef(0);
  useEffect(() => {
    if (!error?.isPassing) { failures.current = 0; return undefined; }
    const timer = setTimeout(() => {
      failures.current += 1;
      if (!document.hidden && connection.isOnline) renew();
    }, Math.min(patience * 2 ** failures.current, mostPatience) * (0.75 + Math.random() / 2));
    return () => clearTimeout(timer);
  }, [error, renew]);

  const interval = typeof when === "function" ? when(current.data) : typeof when === "number" ? when : undefined;
  const lists = interval === undefined ? [(when ?? []) as LiveList | LiveList[]].flat().join(" ") : "";
  useEffect(() => {
    if (key === null) return undefined;
    const again = () => {
      if (!document.hidden && connection.isOnline) renew();
    };
    const timer = interval ? setInterval(again, interval) : undefined;
    const unfollow = lists ? lists.split(" ").map((list) => onListChange(list as LiveList, again)) : [];
    document.addEventListener("visibilitychange", again);
    // What was asked before the connection broke may never be answered.
    const stop = connection.subscribe(() => { if (!document.hidden && connection.isOnline) refresh(); });
    return () => {
      clearInterval(timer);
      for (const one of unfollow) one();
      document.removeEventListener("visibilitychange", again);
      stop();
    };
  }, [key, interval, lists, refresh, renew]);

  const set = useCallback((data: T) => {
    if (key === null) return;
    remembered.set(key, data);
    if (shown.current !== key) return;
    running.current?.abort();
    running.current = undefined;
    setState({ key, data, isLoading: false });
    // Of news that came meanwhile nobody knows whether it is in what was put in.
    if (isOld.current) refresh();
  }, [key, refresh]);

  return { data: current.data, error, isLoading: current.isLoading, refresh, renew, set };
}
