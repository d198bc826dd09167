// Parts of jobs: starting one, its runs as squares, its schedule in words, its graph.
import { useState } from "react";
import { call } from "../api/client";
import type { Job, Run, TaskSpec } from "../api/generated/contract";
import { Link, navigate } from "../app/router";
import { Button, words } from "../ui/parts";
import { toast, toastError } from "../ui/toast";

export function RunNow({ job, onStarted, isSmall }: { job: Job; onStarted: () => void; isSmall?: boolean }) {
  const [isBusy, setBusy] = useState(false);
  const start = () => {
    setBusy(true);
    call("runNow", { job_id: job.job_id, body: { idempotency_token: crypto.randomUUID() } }).then(({ run_id }) => {
      toast(`Run ${run_id} of ${job.settings.name} has been started.`, "good", { text: "Open", run: () => navigate(`/runs/${run_id}`) });
      onStarted();
    }, toastError).finally(() => setBusy(false));
  };
  return <Button icon="play" tone={isSmall ? undefined : "primary"} isSmall={isSmall} isBusy={isBusy} onClick={start}
    aria-label={isSmall ? `Run ${job.settings.name} now` : undefined}>Run now</Button>;
}

const tones: Record<string, string> = { SUCCESS: "good", FAILED: "bad", TIMEDOUT: "bad", CANCELED: "warn" };

export function runTone(run: { state: Run["state"] }): string {
  if (run.state.result_state) return tones[run.state.result_state] ?? "idle";
  return run.state.life_cycle_state === "RUNNING" ? "busy" : "";
}

export function Matrix({ runs }: { runs: Run[] }) {
  if (runs.length === 0) return <span className="soft small">none yet</span>;
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
  if (!value) return <span className="soft">by hand</span>;
  return <><span className="mono">{value.quartz_cron_expression}</span> <span className="soft">{value.timezone_id}{value.pause_status === "PAUSED" ? ", paused" : ""}</span></>;
}

/** The column of each task: one further than all that it waits for. */
export function columns(tasks: TaskSpec[]): Map<string, number> {
  const found = new Map<string, number>();
  const byKey = new Map(tasks.map((task) => [task.task_key, task]));
  const column = (key: string, path: string[]): number => {
    const known = found.get(key);
    if (known !== undefined || path.includes(key)) return known ?? 0;
    const before = byKey.get(key)?.depends_on ?? [];
    const value = before.length === 0 ? 0 : 1 + Math.max(...before.map((one) => column(one.task_key, [...path, key])));
    found.set(key, value);
    return value;
  };
  for (const task of tasks) column(task.task_key, []);
  return found;
}

const box = { width: 190, height: 58, across: 62, down: 18 };

export function Graph({ tasks, last }: { tasks: TaskSpec[]; last?: Run }) {
  const place = columns(tasks);
  const rows = new Map<number, number>();
  const at = new Map(tasks.map((task) => {
    const column = place.get(task.task_key) ?? 0;
    const row = rows.get(column) ?? 0;
    rows.set(column, row + 1);
    return [task.task_key, { x: column * (box.width + box.across) + 2, y: row * (box.height + box.down) + 2 }];
  }));
  const width = (Math.max(...place.values()) + 1) * (box.width + box.across) - box.across + 4;
  const height = Math.max(...rows.values()) * (box.height + box.down) - box.down + 4;
  return (
    <div className="graph" tabIndex={0} role="region" aria-label="Graph of the tasks">
      <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img"
        aria-label={tasks.map((task) => `${task.task_key}${task.depends_on?.length ? ` after ${task.depends_on.map((one) => one.task_key).join(" and ")}` : ""}`).join("; ")}>
        {tasks.flatMap((task) => (task.depends_on ?? []).map((one) => {
          const from = at.get(one.task_key);
          const to = at.get(task.task_key);
          if (!from || !to) return null;
          const [x1, y1, x2, y2] = [from.x + box.width, from.y + box.height / 2, to.x, to.y + box.height / 2];
          return <path key={`${one.task_key}>${task.task_key}`} className="graph-edge" d={`M${x1} ${y1}C${x1 + 30} ${y1} ${x2 - 30} ${y2} ${x2 - 3} ${y2}`} />;
        }))}
        {tasks.map((task) => {
          const point = at.get(task.task_key);
          const state = last?.tasks.find((one) => one.task_key === task.task_key);
          if (!point) return null;
          const path = task.notebook_task?.notebook_path ?? "";
          return (
            <g key={task.task_key} transform={`translate(${point.x} ${point.y})`}>
              <title>{`${task.task_key}${path ? `: ${path}` : ""}`}</title>
              <rect width={box.width} height={box.height} rx="8" className="graph-box" />
              <rect width="5" height={box.height - 16} x="8" y="8" rx="2.5" className={`graph-state ${state ? runTone(state) : ""}`} />
              <text x="24" y="25" className="graph-name">{cut(task.task_key, 20)}</text>
              <text x="24" y="43" className="graph-path">{cut(path.split("/").pop() ?? "", 24)}</text>
            </g>
          );
        })}
      </svg>
    </div>
  );
}

function cut(text: string, length: number): string { return text.length > length ? `${text.slice(0, length - 1)}…` : text; }
