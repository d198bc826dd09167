// What several pages know about runs.
import type { Run, RunState } from "../api/generated/contract";

const ended = new Set(["TERMINATED", "SKIPPED", "INTERNAL_ERROR"]);

export function isActive(state: RunState): boolean { return !ended.has(state.life_cycle_state); }

const triggers: Record<string, string> = {
  PERIODIC: "on its schedule", ONE_TIME: "by hand", RUN_SUBMIT: "submitted without a job", RETRY: "tried again",
  RUN_JOB_TASK: "by a task of another run", CONTINUOUS: "as the job always runs", JOB_COMPLETION: "after another job",
  BACKFILL: "for a time that has passed", FILE_ARRIVAL: "as files arrived",
};

/** What made a run, in words. */
export function triggerName(trigger: Run["trigger"]): string { return triggers[trigger] ?? trigger.toLowerCase().replace(/_/g, " "); }
