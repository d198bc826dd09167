// Saves a notebook soon after it changed, and never over what somebody else has saved meanwhile.
import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError, call, isRefusal } from "../api/client";
import { connection } from "../api/connection";
import type { Json } from "../api/generated/contract";
import { tabID } from "../api/live";
import { guardLeaving } from "../app/router";
import type { NotebookStore } from "./store";

export type SaveState = "saved" | "changed" | "saving" | "waiting" | "conflict" | "failed";

const idle = 2000;
/** How much comes of outputs when a notebook is opened: of one output, and of all cells from the top. The rest is asked for. */
export const shownOutputs = { output_limit: 65_536, output_total: 2_000_000 };

/** Text of any length as base64 of its UTF-8. */
export function base64(text: string): string {
  const all = new TextEncoder().encode(text);
  let binary = "";
  for (let start = 0; start < all.length; start += 0x8000) binary += String.fromCharCode(...all.subarray(start, start + 0x8000));
  return btoa(binary);
}

export interface Saver {
  state: SaveState;
  problem?: string;
  save: () => Promise<boolean>;
  /** The conflict is settled: saving goes on. */
  settle: () => void;
}

const read = (store: NotebookStore) => call("getNotebook", { notebook_id: store.notebookID, ...shownOutputs });

/** Saves what is here now, on top of what others have saved. */
async function saveOnce(store: NotebookStore): Promise<void> {
  if (store.isUnsure) {
    // What the server has of us already is nobody else's, and what was written since goes on top of it.
    const content = await read(store);
    if (content.revision_id > store.state.revisionID) store.mergeIn(content);
  }
  const pending = store.pending();
  const before = store.state.revisionID;
  const lost = (error: unknown) => { store.lose(pending.document); throw error; };
  const saved = await call("saveNotebook", {
    notebook_id: store.notebookID, body: {
      base_revision_id: before, document: pending.document as unknown as Json, cleared_cell_ids: pending.cleared,
      restored_revision_id: pending.restored, client_id: tabID,
    },
    // Only a refusal says that nothing was saved.
  }).catch((error: unknown) => { if (isRefusal(error)) throw error; return lost(error); });
  // What others have changed is in it as well: it has to be here before anything is saved on top of it.
  const content = saved.is_merged ? await read(store).catch(lost) : undefined;
  pending.done(saved.revision_id);
  // What was written meanwhile is in the way: the server will say so, instead of overwriting theirs.
  if (content && !store.mergeIn(content)) store.rebase(before);
}

export function useSaver(store: NotebookStore): Saver {
  const [state, setState] = useState<SaveState>("saved");
  const [problem, setProblem] = useState<string>();
  const working = useRef<Promise<boolean>>();
  const stopped = useRef(false);

  const save = useCallback((): Promise<boolean> => {
    if (stopped.current) return Promise.resolve(false);
    if (working.current) return working.current.then(() => store.isDirty ? save() : true);
    if (!store.isDirty) return Promise.resolve(true);
    setState("saving");
    const work = saveOnce(store).then(() => {
      setProblem(undefined);
      setState(store.isDirty ? "changed" : "saved");
      return true;
    }).catch(async (error: unknown) => {
      if (error instanceof ApiError && error.code === "RESOURCE_CONFLICT") {
        // Whose text was changed by one alone stays, also where the other has deleted the cell: both come together here.
        const content = await read(store).catch(() => undefined);
        if (content && content.revision_id > store.state.revisionID && store.mergeIn(content)) return "again";
        stopped.current = true;
        setState("conflict");
      } else if (error instanceof ApiError && error.isPassing) setState("waiting");
      else {
        setProblem(error instanceof Error ? error.message : String(error));
        setState("failed");
      }
      return false;
    }).then((result) => {
      working.current = store.saving = undefined;
      return result === "again" ? save() : result;
    });
    working.current = store.saving = work;
    return work;
  }, [store]);

  useEffect(() => {
    let timer: number | undefined;
    let seen = store.state.version;
    const stopWatching = store.subscribe(() => {
      if (store.state.version === seen || !store.isDirty) return;
      seen = store.state.version;
      setState((now) => now === "conflict" || now === "saving" ? now : "changed");
      clearTimeout(timer);
      timer = window.setTimeout(() => { void save(); }, idle);
    });
    const again = connection.subscribe(() => { if (connection.isOnline && store.isDirty) void save(); });
    const hide = () => { if (document.hidden) void save(); };
    const leave = (event: BeforeUnloadEvent) => { if (store.isDirty) event.preventDefault(); };
    document.addEventListener("visibilitychange", hide);
    addEventListener("beforeunload", leave);
    const unguard = guardLeaving(() => { if (store.isDirty) void save(); return true; });
    return () => {
      clearTimeout(timer);
      stopWatching();
      again();
      unguard();
      document.removeEventListener("visibilitychange", hide);
      removeEventListener("beforeunload", leave);
    };
  }, [store, save]);

  const settle = useCallback(() => {
    stopped.current = false;
    setState(store.isDirty ? "changed" : "saved");
    if (store.isDirty) void save();
  }, [store, save]);

  return { state, problem, save, settle };
}
