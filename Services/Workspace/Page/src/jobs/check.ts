// What the scheduler says of a job while it is built.
import { createContext, useContext, useEffect, useState } from "react";
import { ApiError, call } from "../api/client";
import type { JobCheck, JobProblem, JobSpec } from "../api/generated/contract";
import { checkable } from "./kinds";

/** Where a field stands that a refusal names as `tasks[0].notebook_task`. */
export function pointer(message: string): string {
  const name = /The field `([^`]+)`/.exec(message)?.[1];
  return name ? `/${name.replace(/\[(\d+)\]/g, ".$1").split(".").filter(Boolean).join("/")}` : "";
}

export interface Check extends JobCheck { /** Whether it is of the job as it is now. */ isCurrent: boolean; failure?: ApiError }

/** Checks the job shortly after each change. */
export function useCheck(spec: JobSpec, wantsYAML: boolean): Check {
  const [answer, setAnswer] = useState<{ of: string; check: JobCheck; failure?: ApiError }>({ of: "", check: { problems: [] } });
  const checked = checkable(spec);
  const text = checked ? JSON.stringify(checked) : "";
  const wanted = `${wantsYAML ? "yaml " : ""}${text}`;
  useEffect(() => {
    if (!text) { setAnswer({ of: wanted, check: { problems: [] } }); return undefined; }
    const controller = new AbortController();
    const timer = setTimeout(() => {
      call("checkJob", { yaml: wantsYAML || undefined, body: JSON.parse(text) as JobSpec }, controller.signal).then(
        (check) => setAnswer({ of: wanted, check }), (error: unknown) => {
          if (!(error instanceof ApiError)) return;
          // What has not the form of a job is refused before it is looked at, with a sentence of its own.
          const problems = error.status === 400 || error.status === 403 || error.status === 404 ? [{ path: pointer(error.message), message: error.message }] : [];
          setAnswer({ of: wanted, check: { problems }, failure: problems.length === 0 ? error : undefined });
        });
    }, 250);
    return () => { clearTimeout(timer); controller.abort(); };
  }, [wanted, text, wantsYAML]);
  return { ...answer.check, failure: answer.failure, isCurrent: answer.of === wanted };
}

export interface Problems { all: JobProblem[]; /** The first at a place or below it. */ at: (path: string) => string | undefined }

export function problemsOf(all: JobProblem[]): Problems {
  return { all, at: (path) => all.find((one) => one.path === path || one.path.startsWith(`${path}/`))?.message };
}

const Context = createContext<Problems>(problemsOf([]));
export const ProblemsProvider = Context.Provider;

/** What is wrong with the job, for the fields to show. */
export function useProblems(): Problems { return useContext(Context); }
