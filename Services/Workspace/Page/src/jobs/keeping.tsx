// What is not saved yet: kept in the browser, told when its user goes elsewhere, and saved without undoing others' work.
import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError, call } from "../api/client";
import type { Job, JobSpec } from "../api/generated/contract";
import { fromHere, navigate, useAddress } from "../app/router";
import { useSession } from "../app/session";
import { toast, toastError } from "../ui/toast";
import { Kept, keepDraft, keptDraft } from "./draft";

/** Under which name unsaved changes are kept, and the address that they are edited at. */
function usePlace(id: string): { name: string; address: string } {
  const { query } = useAddress();
  // What is made of a notebook, or of another job, is kept apart from what is made of nothing.
  const [way] = useState(() => ["notebook", "from"].map((name) => [name, query.get(name)]).find(([, value]) => value !== null));
  if (id) return { name: id, address: `/jobs/${id}/edit` };
  if (!way) return { name: "new", address: "/jobs/new" };
  return { name: `new ${way[0]} ${way[1]}`, address: `/jobs/new?${way[0]}=${encodeURIComponent(way[1] ?? "")}` };
}

/** What was changed earlier and not saved. */
export function useKeptDraft(id: string): Kept | undefined {
  const { session } = useSession();
  const { name } = usePlace(id);
  const [kept] = useState(() => keptDraft(session.user_name, name));
  return kept;
}

/**
 * Keeps what is changed.
 *
 * - Returns: what to call when nothing of it is to be kept any more.
 */
export function useKeeping(id: string, spec: JobSpec, isChanged: boolean, base: number | undefined, token: string): () => void {
  const { session } = useSession();
  const { name, address } = usePlace(id);
  const state = useRef({ spec, isChanged, isKept: true, isDone: false });
  state.current = { ...state.current, spec, isChanged };
  const text = JSON.stringify(spec);
  useEffect(() => {
    if (state.current.isDone) return;
    const kept = isChanged ? { spec: state.current.spec, base, token, time: Date.now() } : undefined;
    state.current.isKept = keepDraft(session.user_name, name, kept);
  }, [session.user_name, name, text, isChanged, base, token]);
  useEffect(() => {
    // What the browser keeps is back after a reload; only what it could not keep is worth a question.
    const leave = (event: BeforeUnloadEvent) => {
      if (state.current.isChanged && !state.current.isKept) event.preventDefault();
    };
    addEventListener("beforeunload", leave);
    return () => {
      removeEventListener("beforeunload", leave);
      const { isChanged: isOpen, isDone, isKept, spec: last } = state.current;
      if (!isOpen || isDone) return;
      if (!isKept) toast(`What you changed of ${last.name} was too large to be kept and is lost.`, "bad");
      else {
        toast(`What you changed of ${last.name} is not saved yet. This browser keeps it.`, "plain",
          { text: "Go back", run: () => navigate(address) });
      }
    };
  }, [address]);
  return useCallback(() => {
    state.current.isDone = true;
    keepDraft(session.user_name, name, undefined);
  }, [session.user_name, name]);
}

/**
 * Saves a job that is there, or makes it; `conflict` is what somebody else has saved in the meantime.
 *
 * - Parameter token: of the job to make; the same one makes no second one.
 */
export function useSaving(job: Job | undefined, base: number | undefined, token: string, done: () => void) {
  const [isBusy, setBusy] = useState(false);
  const [conflict, setConflict] = useState<Job>();
  const save = async (spec: JobSpec, isOver: boolean) => {
    setBusy(true);
    setConflict(undefined);
    const go = fromHere();
    try {
      const body = { ...spec, name: spec.name.trim() };
      const saved = job
        ? await call("updateJob", { job_id: job.job_id, if_updated_time: isOver ? undefined : base, body })
        : await call("createJob", { idempotency_token: token, body });
      done();
      toast(`The job ${saved.settings.name} has been ${job ? "saved" : "made"}.`);
      go(`/jobs/${saved.job_id}`);
    } catch (error) {
      if (job && error instanceof ApiError && error.code === "RESOURCE_CONFLICT") {
        await call("getJob", { job_id: job.job_id }).then(setConflict, toastError);
      } else {
        toastError(error);
      }
    } finally {
      setBusy(false);
    }
  };
  return { save, isBusy, conflict, settle: () => setConflict(undefined) };
}
