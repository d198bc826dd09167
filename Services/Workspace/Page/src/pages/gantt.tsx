// The tasks of a run in time: a row for each, a bar for each attempt, waiting apart from running.
import type { Attempt, Run, RunTask } from "../api/generated/contract";
import { RunBadge } from "../ui/parts";
import { clockTime, duration, useNow } from "../ui/time";
import { ticks } from "../ui/ticks";
import { isActive } from "./run-parts";

const tones: Record<string, string> = { SUCCESS: "good", FAILED: "bad", TIMEDOUT: "bad", CANCELED: "warn" };

export function Gantt({ run, selected, onSelect }: { run: Run; selected?: string; onSelect: (key: string) => void }) {
  const now = useNow(isActive(run.state));
  const start = run.start_time ?? run.created_time;
  const end = Math.max(run.end_time ?? now, start + 1000);
  const place = (time: number) => `${Math.min(100, Math.max(0, ((time - start) / (end - start)) * 100))}%`;
  const marks = ticks(0, (end - start) / 1000, 6);
  return (
    <div className="gantt">
      <div className="gantt-axis" aria-hidden="true">
        <div className="gantt-scale">{marks.map((mark) => <span key={mark} style={{ left: place(start + mark * 1000) }}>{duration(mark * 1000)}</span>)}</div>
      </div>
      {run.tasks.map((task) => (
        <button type="button" key={task.task_key} className="gantt-row" aria-pressed={task.task_key === selected} onClick={() => onSelect(task.task_key)}>
          <span className="gantt-name">
            <span className="truncate mono">{task.task_key}</span>
            {task.depends_on && task.depends_on.length > 0 && <span className="soft small truncate">after {task.depends_on.map((one) => one.task_key).join(", ")}</span>}
          </span>
          <span className="gantt-state"><RunBadge state={task.state} /></span>
          <span className="gantt-track">
            {marks.map((mark) => <span key={mark} className="gantt-mark" style={{ left: place(start + mark * 1000) }} />)}
            {task.attempts.map((attempt) => <Bars key={attempt.attempt_number} attempt={attempt} place={place} now={now} />)}
          </span>
          <span className="gantt-time">{took(task, now)}</span>
        </button>
      ))}
    </div>
  );
}

function took(task: RunTask, now: number): string {
  return task.start_time === undefined ? "" : duration((task.end_time ?? now) - task.start_time);
}

function Bars({ attempt, place, now }: { attempt: Attempt; place: (time: number) => string; now: number }) {
  if (attempt.start_time === undefined) return null;
  const end = attempt.end_time ?? now;
  const begin = attempt.execution_time ?? end;
  const tone = attempt.state.result_state ? tones[attempt.state.result_state] ?? "idle" : "busy";
  const width = (from: number, to: number) => `max(2px, calc(${place(to)} - ${place(from)}))`;
  const title = `Attempt ${attempt.attempt_number}, ${clockTime(attempt.start_time)}: ${duration(begin - attempt.start_time)} for the cluster`
    + (attempt.execution_time ? `, ${duration(end - begin)} running` : "");
  return <>
    <span className={`gantt-bar wait ${tone}`} title={title} style={{ left: place(attempt.start_time), width: width(attempt.start_time, begin) }} />
    {attempt.execution_time !== undefined && (
      <span className={`gantt-bar ${tone}`} title={title} style={{ left: place(begin), width: width(begin, end) }} />
    )}
  </>;
}
