// Asks a notebook's kernel about code that is being written.
import { useMemo } from "react";
import { call } from "../api/client";
import type { Assistant } from "../code/assist";

/** Nobody knows how these go on. */
const silent = new Set(["md", "sh", "pip"]);

export function useAssistant(notebookID: number, language: string): Assistant | undefined {
  return useMemo(() => silent.has(language) ? undefined : {
    complete: (code, cursor, signal) => call("completeInNotebook", { notebook_id: notebookID, body: { code, cursor_pos: cursor, language } }, signal),
    inspect: (code, cursor, detail, signal) => call("inspectInNotebook", {
      notebook_id: notebookID, body: { code, cursor_pos: cursor, language, detail_level: detail },
    }, signal),
  }, [notebookID, language]);
}
