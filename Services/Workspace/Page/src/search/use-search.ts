// Asking for what was typed: a moment after the last key, and never for two things at a time.
import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError, call } from "../api/client";
import type { ObjectType, SearchResult, SearchResults } from "../api/generated/contract";

export interface Search {
  /** What the results are of; undefined while there are none. */
  of?: string;
  results: SearchResult[];
  hasMore: boolean;
  /** Some entries were not read for the search yet. */
  isReading: boolean;
  isBusy: boolean;
  error?: ApiError;
  retry: () => void;
  more: () => void;
}

interface State {
  /** The last that was or is about to be asked for. */
  asked?: string;
  of?: string;
  results: SearchResult[];
  next?: string;
  isReading: boolean;
  isBusy: boolean;
  error?: ApiError;
}

const nothing: State = { results: [], isReading: false, isBusy: false };
const pause = 150;
const limit = 256;

/** What is asked for; undefined when it is too little: a single letter is everywhere. */
export function wanted(text: string): string | undefined {
  const query = Array.from(text.trim().replace(/\s+/g, " ")).slice(0, limit).join("");
  return query.length > 1 || query > "\u007f" ? query : undefined;
}

export function useSearch(text: string, kind: ObjectType | undefined, count: number): Search {
  const [state, setState] = useState(nothing);
  const [attempt, setAttempt] = useState(0);
  const controller = useRef<AbortController>();
  const query = wanted(text);

  const ask = useCallback((one: string, signal: AbortSignal, token?: string, before: SearchResult[] = []) => {
    call("searchWorkspace", { query: one, kind, page_size: count, page_token: token }, signal).then((page: SearchResults) => {
      if (signal.aborted) return;
      setState((old) => ({
        asked: old.asked, of: one, results: [...before, ...page.results], next: page.next_page_token, isReading: page.is_reading ?? false, isBusy: false,
      }));
    }, (error: unknown) => {
      if (signal.aborted) return;
      const known = error instanceof ApiError ? error : new ApiError("PAGE_ERROR", String(error), 500);
      setState((old) => ({ ...old, isBusy: false, error: known }));
    });
  }, [kind, count]);

  useEffect(() => {
    if (query === undefined) { setState(nothing); return undefined; }
    const made = new AbortController();
    controller.current = made;
    setState((old) => ({ ...old, asked: query, isBusy: true, error: undefined }));
    const timer = setTimeout(() => ask(query, made.signal), pause);
    return () => { clearTimeout(timer); made.abort(); };
  }, [query, ask, attempt]);

  const more = useCallback(() => {
    const signal = controller.current?.signal;
    if (!signal || !state.next || state.of === undefined) return;
    setState({ ...state, isBusy: true, error: undefined });
    ask(state.of, signal, state.next, state.results);
  }, [state, ask]);

  // From the first drawing on: who presses Enter then means what is typed, not what was there before.
  const isBusy = state.isBusy || (query !== undefined && query !== state.asked);
  return { ...state, isBusy, hasMore: state.next !== undefined, retry: () => setAttempt((one) => one + 1), more };
}
