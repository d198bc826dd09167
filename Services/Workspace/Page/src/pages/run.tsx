// One run: its tasks in time, each attempt, and what each notebook put out, live while it runs.
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { call } from "../api/client";
import type { CommandEvent, Run, RunEvent, RunTask } from "../api/generated/contract";
import { live as channel } from "../api/live";
import { useQuery } from "../api/query";
import { followTopic } from "../api/topics";
import { newID } from "../app/ids";
import { Link, setQueries, treeAddress, useAddress } from "../app/router";
import { Output, withEvent } from "../output/mime";
import { Button, Card, Failure, Heading, Loading, Note, RunBadge } from "../ui/parts";
import { Span, Time } from "../ui/time";
import { toast, toastError } from "../ui/toast";
import { ClusterLink, useClusterNames } from "./cluster-link";
import { Gantt } from "./gantt";
import { Repair, canRepair } from "./repair";
import { isActive, triggerName } from "./run-parts";
import { LiveCells, TaskResult } from "./task-output";

export function RunPage({ id }: { id: string }) {
  const runID = Number(id);
  // Where nothing is told, as behind a proxy without WebSockets, it is looked at now and then.
  const isLive = useSyncExternalStore(channel.subscribe, () => channel.isOpen);
  const isGone = useRef(false);
  const run = useQuery(`run/${id}`, (signal) => call("getRun", { run_id: runID }, signal),
    (data) => !isLive && !isGone.current && data && isActive(data.state) ? 15000 : 0);
  isGone.current = run.error?.status === 403 || run.error?.status === 404;
  const live = useRunEvents(run.data, run.renew);
  const { query } = useAddress();
  const [isBusy, setBusy] = useState(false);
  const [isRepairOpen, setRepairOpen] = useState(false);
  // Of one that may not be seen any more nothing is shown that was known before.
  if (!run.data || isGone.current) {
    return <div className="content"><Heading title={`Run ${id}`} crumbs={[{ text: "Runs", to: "/runs" }]} />
      {run.error ? <Failure error={run.error} retry={run.refresh} /> : <Card isFlush><Loading lines={6} /></Card>}</div>;
  }
  const data = run.data;
  const wanted = query.get("task");
  const task = data.tasks.find((one) => one.task_key === wanted) ?? defaultTask(data);
  const cancel = () => {
    setBusy(true);
    // The answer may be older than the events that came before it.
    call("cancelRun", { run_id: runID }).then(() => { run.refresh(); toast("The run is being cancelled."); }, toastError).finally(() => setBusy(false));
  };
  return (
    <div className="content">
      <Heading title={data.run_name} crumbs={crumbs(data)} badge={<span role="status"><RunBadge state={data.state} /></span>} actions={<>
        {canRepair(data) && (
          <Button icon="refresh" tone="primary" onClick={() => setRepairOpen(true)} aria-haspopup="dialog" title="Runs again what did not succeed, with other parameters if wanted">Repair</Button>
        )}
        {data.job_id !== undefined && <Again jobID={data.job_id} parameters={data.parameters} />}
        {isActive(data.state) && (
          <Button tone="danger" icon="stop" isBusy={isBusy} onClick={cancel}>Cancel</Button>
        )}
      </>}>
        <span className="row wrap">
          <span>Run {data.run_id}</span>·<span>{data.start_time === undefined ? "asked for" : "started"} <Time
            value={data.start_time ?? data.created_time} /> by {data.creator_user_name}</span>·
          {data.start_time !== undefined && <><span>{isActive(data.state) ? "running for" : "took"} <Span from={data.start_time} to={data.end_time} /></span>·</>}
          <span>{triggerName(data.trigger)}</span>
        </span>
      </Heading>
      {data.state.state_message && data.state.result_state !== "SUCCESS" && (
        <Note tone={data.state.result_state === "FAILED" || data.state.result_state === "TIMEDOUT" ? "bad" : undefined}>{data.state.state_message}</Note>
      )}
      {isRepairOpen && <Repair run={data} onClose={() => setRepairOpen(false)} onBegun={run.refresh} />}
      <Card title="Tasks" isFlush>
        <Gantt run={data} selected={task?.task_key} onSelect={(key) => setQueries({ task: key, attempt: null })} />
      </Card>
      {Object.keys(data.parameters ?? {}).length > 0 && (
        <details className="card"><summary className="card-body">Parameters ({Object.keys(data.parameters ?? {}).length})</summary>
          <dl className="facts card-body">{Object.entries(data.parameters ?? {}).map(([name, value]) => [
            <dt key={name} className="mono">{name}</dt>, <dd key={`${name}=`} className="mono">{value}</dd>])}</dl>
        </details>
      )}
      {task && <Task run={data} task={task} live={live.get(task.task_key)} />}
    </div>
  );
}

function crumbs(run: Run) {
  const all = [{ text: "Runs", to: "/runs" }];
  if (run.job_id !== undefined) all.push({ text: run.run_name || `Job ${run.job_id}`, to: `/jobs/${run.job_id}` });
  return all;
}

/** What went wrong is looked at first, then what runs, then what came out last. */
function defaultTask(run: Run): RunTask | undefined {
  return run.tasks.find((task) => task.state.result_state === "FAILED" || task.state.result_state === "TIMEDOUT")
    ?? run.tasks.find((task) => task.state.life_cycle_state === "RUNNING") ?? run.tasks[run.tasks.length - 1];
}

function Again({ jobID, parameters }: { jobID: number; parameters?: Record<string, string> }) {
  const [isBusy, setBusy] = useState(false);
  const start = () => {
    setBusy(true);
    call("runNow", { job_id: jobID, body: { parameters, idempotency_token: newID() } }).then(
      ({ run_id }) => toast(`Run ${run_id} has been started.`, "good", { text: "Open", run: () => location.assign(`/runs/${run_id}`) }), toastError)
      .finally(() => setBusy(false));
  };
  return <Button icon="play" isBusy={isBusy} onClick={start}>Run again</Button>;
}

export interface LiveCell { outputs: Output[]; clears: boolean; state?: string; start?: number; end?: number; source?: string }
export type LiveTask = { attempt: number; cells: Map<string, LiveCell> };

/** Follows a run that is not over: outputs as they come, and states by reading the run again when one changed. */
function useRunEvents(run: Run | undefined, renew: () => void): Map<string, LiveTask> {
  const [live, setLive] = useState(new Map<string, LiveTask>());
  const runID = run?.run_id;
  const isOpen = run ? isActive(run.state) : false;
  useEffect(() => {
    if (runID === undefined || !isOpen) return undefined;
    let tasks = new Map<string, LiveTask>();
    let frame = 0;
    const show = () => { frame = 0; setLive(tasks); };
    const take = (event: RunEvent) => {
      if (event.type === "CELL" && event.task_key && event.event) {
        tasks = withCell(tasks, event.task_key, event.attempt_number ?? 0, event.cell_id ?? "", event.event);
        // Many events in one frame are one change of the page.
        if (!frame) frame = requestAnimationFrame(show);
        return;
      }
      // What is read then says whether the run is over; of a repaired run, the events tell of earlier ends too. A tab that
      // nobody sees reads it when it is seen again.
      if (!document.hidden) renew();
    };
    const stop = followTopic(`runs/${runID}`, {
      onEvent: (message) => take(message.run as RunEvent),
      // Followed for as long as what is read says that it runs.
      onEnd: () => { renew(); return true; },
      onFailure: (error) => { toastError(error); renew(); },
    });
    return () => { stop(); cancelAnimationFrame(frame); };
  }, [runID, isOpen, renew]);
  return live;
}

function withCell(tasks: Map<string, LiveTask>, key: string, attempt: number, cellID: string, event: CommandEvent): Map<string, LiveTask> {
  const before = tasks.get(key);
  const cells = new Map(before?.attempt === attempt ? before.cells : []);
  const cell = cells.get(cellID) ?? { outputs: [], clears: false };
  const next = { ...cell, outputs: withEvent(cell.outputs, event, cell.clears) };
  next.clears = event.type === "CLEAR_OUTPUT" ? event.wait === true : event.type === "STATE" ? cell.clears : false;
  if (event.type === "STATE") {
    next.state = event.state;
    if (event.state === "RUNNING") next.start = event.timestamp;
    else if (event.state !== "QUEUED") next.end = event.timestamp;
  }
  cells.set(cellID, next);
  return new Map(tasks).set(key, { attempt, cells });
}

function Task({ run, task, live }: { run: Run; task: RunTask; live: LiveTask | undefined }) {
  const last = task.attempts[task.attempts.length - 1];
  // The last one, whichever that is by now, unless the address says another.
  const chosen = useAddress().query.get("attempt");
  const attempt = task.attempts.find((one) => String(one.attempt_number) === chosen) ?? last;
  const isOver = attempt !== undefined && !isActive(attempt.state);
  const output = useQuery(isOver ? `output/${run.run_id}/${task.task_key}/${attempt.attempt_number}` : null,
    (signal) => call("getTaskOutput", { run_id: run.run_id, task_key: task.task_key, attempt_number: attempt?.attempt_number }, signal));
  const clusters = useClusterNames(attempt?.cluster_id ? [attempt.cluster_id] : []);
  const title = useMemo(() => <>Task <span className="mono">{task.task_key}</span></>, [task.task_key]);
  return (
    <Card title={title} actions={<>
      {task.attempts.length > 1 && (
        <label className="row small">Attempt
          <select className="input small" value={attempt?.attempt_number} onChange={(event) => {
            const { value } = event.target;
            setQueries({ task: task.task_key, attempt: value === String(last?.attempt_number) ? null : value });
          }}>
            {task.attempts.map((one) => (
              <option key={one.attempt_number} value={one.attempt_number}>
                {one.attempt_number}: {(one.state.result_state ?? one.state.life_cycle_state).toLowerCase()}
              </option>))}
          </select>
        </label>
      )}
      {task.notebook_path && <Link to={treeAddress(task.notebook_path)}>Open the notebook</Link>}
      {attempt?.cluster_id && <ClusterLink id={attempt.cluster_id} names={clusters} before="Cluster " />}
      <RunBadge state={attempt?.state ?? task.state} />
    </>}>
      <div className="stack">
        {attempt?.state.state_message && isOver && attempt.state.result_state !== "SUCCESS" && <Note tone="bad">{attempt.state.state_message}</Note>}
        {!isOver && (live && live.attempt === (attempt?.attempt_number ?? 0) && live.cells.size > 0 ? <LiveCells task={live} />
          : <p className="soft row"><span className="spinner" />{attempt?.state.state_message || task.state.state_message || "Waits for its turn."}</p>)}
        {output.error && <Failure error={output.error} retry={output.refresh} />}
        {isOver && (output.data ? <TaskResult output={output.data} /> : output.isLoading && <Loading lines={3} />)}
      </div>
    </Card>
  );
}
