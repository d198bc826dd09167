// Reading what the search finds besides the workspace: the lists that their pages read as well, when something is asked for.
import { useMemo } from "react";
import { ApiError, call, pages } from "../api/client";
import type { ClusterInfo, Job, Run } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { type Thing, numberIn, thingsOf } from "./things";

/** @param of what is asked for; nothing is read for nothing. */
export function useThings(of: string | undefined): { things: Thing[]; isBusy: boolean; error?: ApiError } {
  const isAsked = of !== undefined;
  const jobs = useQuery(isAsked ? "jobs/all" : null, (signal) => pages<Job>(async (token) => {
    const page = await call("listJobs", { page_size: 200, page_token: token }, signal);
    return { items: page.jobs, token: page.next_page_token };
  }), "jobs");
  const clusters = useQuery(isAsked ? "clusters/all" : null, (signal) => pages<ClusterInfo>(async (token) => {
    const page = await call("listClusters", { page_size: 200, page_token: token }, signal);
    return { items: page.clusters, token: page.next_page_token };
  }), "clusters");
  const number = numberIn(of);
  const run = useQuery<Run | null>(number === undefined ? null : `search/run/${number}`, (signal) =>
    call("getRun", { run_id: number ?? 0 }, signal).catch((error: unknown) => {
      // A number that no run has, or one that is not for this user's eyes.
      if (error instanceof ApiError && [400, 403, 404].includes(error.status)) return null;
      throw error;
    }));
  const things = useMemo(() => of === undefined ? [] : thingsOf(of, jobs.data ?? [], clusters.data ?? [], run.data ?? undefined),
    [of, jobs.data, clusters.data, run.data]);
  return { things, isBusy: jobs.isLoading || clusters.isLoading || run.isLoading, error: jobs.error ?? clusters.error ?? run.error };
}
