// Parts of jobs: starting one, its runs as squares, its schedule in words, its graph.
import { useState } from "react";
import { call } from "../api/client";
import type { Job, Run } from "../api/generated/contract";
import { newID } from "../app/ids";
import { Link, navigate } from "../app/router";
import { Graph, saidOf } from "../jobs/graph";
import { kindOf, summary } from "../jobs/kinds";
import { Pairs } from "../jobs/fields";
import { cronInWords } from "../jobs/words";
import { focusContent } from "../ui/focus";
import { Button, Dialog, words } from "../ui/parts";
import { PlannedTime, Time } from "../ui/time";
import { toast, toastError } from "../ui/toast";

export function RunNow({ job, onStarted, isSmall }: { job: Job; onStarted: () => void; isSmall?: boolean }) {
  const [isBusy, setBusy] = useState(false);
  const [isOpen, setOpen] = useState(false);
  const hasParameters = (job.settings.parameters?.length ?? 0) > 0;
  const start = (parameters?: Record<string, string>) => {
    setBusy(true);
    call("runNow", { job_id: job.job_id, body: { parameters, idempotency_token: newID() } }).then(({ run_id }) => {
      toast(`Run ${run_id} of ${job.settings.name} has been started.`, "good", { text: "Open", run: () => navigate(`/runs/${run_id}`) });
      setOpen(false);
      onStarted();
    }, toastError).finally(() => setBusy(false));
  };
  return <>
    <Button icon="play" tone={isSmall ? undefined : "primary"} isSmall={isSmall} isBusy={isBusy} onClick={() => start()}
      aria-label={isSmall ? `Run ${job.settings.name} now` : undefined}>Run now</Button>
    {!isSmall && hasParameters && <Button icon="settings" onClick={() => setOpen(true)} aria-haspopup="dialog">Run with…</Button>}
    {isOpen && <RunWith job={job} isBusy={isBusy} onStart={start} onClose={() => setOpen(false)} />}
  </>;
}

function RunWith({ job, isBusy, onStart, onClose }: { job: Job; isBusy: boolean; onStart: (parameters: Record<string, string>) => void; onClose: () => void }) {
  const [rows, setRows] = useState<Array<[string, string]>>(() => (job.settings.parameters ?? []).map((one) => [one.name, one.default]));
  return (
    <Dialog title={`Run ${job.settings.name} with`} onClose={onClose} foot={<><Button onClick={onClose}>Cancel</Button>
      <Button tone="primary" icon="play" isBusy={isBusy} onClick={() => onStart(Object.fromEntries(rows))}>Run</Button></>}>
      <div className="dialog-body"><Pairs label="Parameters of this run" rows={rows} onChange={setRows} isFixed hint="The job keeps its defaults." /></div>
    </Dialog>
  );
}

/**
 * Nobody is asked: whoever did not mean it takes it back, and has the very job again.
 * Its runs under way go on: how many of these there are is said.
 */
export function removeJob(job: Job, onChanged: (isBack: boolean) => void): void {
  // What is shown may be some seconds old.
  call("getJob", { job_id: job.job_id }).then(async ({ active_runs: active = 0 }) => {
    await call("deleteJob", { job_id: job.job_id });
    const goesOn = active === 0 ? "" : active === 1 ? " Its run that is under way goes on." : ` Its ${active} runs that are under way go on.`;
    const restore = () => { call("restoreJob", { job_id: job.job_id }).then(() => onChanged(true), toastError); };
    toast(`The job ${job.settings.name} was deleted.${goesOn}`, "good", { text: "Undo", run: restore });
    onChanged(false);
    focusContent();
  }, toastError);
}

const tones: Record<string, string> = { SUCCESS: "good", FAILED: "bad", TIMEDOUT: "bad", CANCELED: "warn" };

export function runTone(run: { state: Run["state"] }): string {
  if (run.state.result_state) return tones[run.state.result_state] ?? "idle";
  return run.state.life_cycle_state === "RUNNING" ? "busy" : "";
}

export function Matrix({ runs, none = "none yet" }: { runs: Run[]; none?: string }) {
  if (runs.length === 0) return <span className="soft small">{none}</span>;
  return (
    <span className="dots">{runs.map((run) => (
      <Link key={run.run_id} to={`/runs/${run.run_id}`} className={`dot large ${runTone(run)}`}
        title={`Run ${run.run_id}: ${words(run.state.result_state ?? run.state.life_cycle_state)}`}>
        <span className="visually-hidden">Run {run.run_id}: {words(run.state.result_state ?? run.state.life_cycle_state)}</span></Link>
    ))}</span>
  );
}

export function schedule(job: Job) {
  const value = job.settings.schedule;
  const isPaused = (job.settings.trigger ?? job.settings.continuous)?.pause_status === "PAUSED";
  if (!value) return <span className="soft">{others(job)}{isPaused ? ", paused" : ""}</span>;
  const said = cronInWords(value.quartz_cron_expression);
  return <>{said ?? <span className="mono">{value.quartz_cron_expression}</span>} <span className="soft">{value.timezone_id}{value.pause_status === "PAUSED" ? ", paused" : ""}</span></>;
}

/** When it runs next, in the zone of its schedule, which the schedule's own words name. */
export function NextTime({ job }: { job: Job }) {
  const { next_fire_time: next, settings: { schedule: value } } = job;
  if (next === undefined) return <span className="soft">–</span>;
  return value ? <PlannedTime value={next} zone={value.timezone_id} /> : <Time value={next} />;
}

/** What else makes a job run. */
function others({ settings: { trigger, continuous } }: Job): string {
  if (continuous) return "always";
  if (trigger?.periodic) return `every ${trigger.periodic.interval} ${trigger.periodic.unit.toLowerCase()}`;
  if (trigger?.job_completion) return `after job ${trigger.job_completion.job_id}`;
  return trigger?.file_arrival ? `when files arrive in ${trigger.file_arrival.url}` : "by hand";
}

/** The graph of a job; each task leads to how it went in the last run, or to where it is changed. */
export function JobGraph({ job, last }: { job: Job; last?: Run }) {
  return (
    <Graph tasks={job.settings.tasks} label="Graph of the tasks" node={(task, place) => {
      const run = last?.tasks.find((one) => one.task_key === task.task_key);
      const query = `task=${encodeURIComponent(task.task_key)}`;
      const state = run ? words(run.state.result_state ?? run.state.life_cycle_state) : undefined;
      return (
        <Link key={task.task_key} to={run && last ? `/runs/${last.run_id}?${query}` : `/jobs/${job.job_id}/edit?${query}`} style={place}
          className={task.disabled ? "node off" : "node"} aria-label={[saidOf(task), state].filter(Boolean).join(", ")} title={state ?? "Not run yet"}>
          <span className={`node-state ${run ? runTone(run) : ""}`} />
          <span className="node-name truncate">{task.task_key}</span>
          <span className="node-text truncate">{summary(task) || kindOf(task)?.text}</span>
        </Link>
      );
    }} />
  );
}
