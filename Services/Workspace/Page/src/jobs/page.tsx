// Building a job: its tasks as a graph, the selected one, and what is of the whole job.
import { useReducer, useState } from "react";
import { call } from "../api/client";
import type { Job, JobSpec } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { newID } from "../app/ids";
import { useAddress } from "../app/router";
import { Button, Card, Failure, Field, Heading, Loading, Note } from "../ui/parts";
import { Time } from "../ui/time";
import { toast } from "../ui/toast";
import { Check, ProblemsProvider, problemsOf, useCheck, useProblems } from "./check";
import { Kept, cycleOf, emptyJob, reduce, withTask } from "./draft";
import { GraphCard, useTaskActions, useUndoKeys } from "./graph-card";
import { JobPanel } from "./job-panel";
import { useKeeping, useKeptDraft, useSaving } from "./keeping";
import { missing } from "./kinds";
import { TaskPanel } from "./task-panel";
import { YAMLView } from "./yaml";

export function JobEditor({ id }: { id: string }) {
  const { query } = useAddress();
  const [from] = useState(() => Number(id || query.get("from") || 0));
  // As it is now, not as it was when it was last looked at.
  const [opened] = useState(Date.now);
  const job = useQuery(from ? `job/${from}/edited/${opened}` : null, (signal) => call("getJob", { job_id: from }, signal));
  if (from && !job.data) {
    return <div className="content"><Heading title={`Job ${from}`} crumbs={[{ text: "Jobs", to: "/jobs" }]} />
      {job.error ? <Failure error={job.error} retry={job.refresh} /> : <Card isFlush><Loading lines={6} /></Card>}</div>;
  }
  return <Editor id={id} job={id ? job.data : undefined} first={firstSpec(id, job.data, query.get("notebook"))} />;
}

/** What is edited when nothing was kept: the job, a copy of one, or a new one, perhaps of a notebook. */
function firstSpec(id: string, job: Job | undefined, notebook: string | null): JobSpec {
  if (job) return id ? job.settings : { ...job.settings, name: `${job.settings.name} (copy)` };
  if (!notebook) return emptyJob;
  return { ...withTask(emptyJob, undefined, notebook).spec, name: notebook.split("/").pop() ?? "New job" };
}

function Editor({ id, job, first }: { id: string; job?: Job; first: JobSpec }) {
  const { query } = useAddress();
  const kept = useKeptDraft(id);
  const [original, setOriginal] = useState(first);
  const [base, setBase] = useState(kept ? kept.base : job?.updated_time);
  const [draft, change] = useReducer(reduce, { past: [], now: kept?.spec ?? first, future: [] });
  const [isKeptShown, setKeptShown] = useState(kept !== undefined);
  const [isTried, setTried] = useState(false);
  const [isYAMLShown, setYAMLShown] = useState(false);
  const spec = draft.now;
  const isChanged = JSON.stringify(spec) !== JSON.stringify(original);
  const [token] = useState(() => kept?.token ?? newID());
  const saving = useSaving(job, base, token, useKeeping(id, spec, isChanged, base, token));
  const check = useCheck(spec, isYAMLShown);
  const open = missing(spec);
  const circle = cycleOf(spec.tasks);
  const set = (next: JobSpec, mark?: string) => change({ kind: "set", spec: next, mark });
  const undo = () => change({ kind: "undo" });
  const redo = () => change({ kind: "redo" });
  useUndoKeys(undo, redo);
  const index = Math.max(0, spec.tasks.findIndex((task) => task.task_key === query.get("task")));
  const task = spec.tasks[index];
  const actions = useTaskActions(spec, task, set, undo);
  const begin = (from: JobSpec, time: number | undefined) => {
    set(from);
    setOriginal(from);
    setBase(time);
    setKeptShown(false);
    saving.settle();
  };
  const save = (isOver: boolean) => {
    setTried(true);
    const wrong = [...open, ...(check.isCurrent ? check.problems : [])][0];
    if (!wrong) { void saving.save(spec, isOver); return; }
    const bad = spec.tasks[Number(/^\/tasks\/(\d+)/.exec(wrong.path)?.[1] ?? -1)];
    if (bad) actions.select(bad.task_key);
    toast(`It cannot be saved yet. ${bad && !wrong.message.includes(bad.task_key) ? `${bad.task_key}: ` : ""}${wrong.message}`, "bad");
  };
  const crumbs = [{ text: "Jobs", to: "/jobs" }, ...(job ? [{ text: original.name, to: `/jobs/${id}` }] : [])];
  return (
    <ProblemsProvider value={problemsOf([...(isTried ? open : []), ...check.problems])}>
      <div className="content job-editor">
        <Heading title={id ? `Edit ${original.name}` : "New job"} crumbs={crumbs} actions={<>
          <Button tone="quiet" aria-label="Undo" title="Undo (Ctrl+Z)" icon="undo" disabled={draft.past.length === 0} onClick={undo} />
          <Button tone="quiet" aria-label="Redo" title="Redo (Ctrl+Shift+Z)" icon="redo" disabled={draft.future.length === 0} onClick={redo} />
          <Button icon="code" aria-pressed={isYAMLShown} onClick={() => setYAMLShown(!isYAMLShown)}>YAML</Button>
          <Button tone="primary" icon="check" isBusy={saving.isBusy} onClick={() => save(false)}>{id ? "Save" : "Create"}</Button>
        </>}>
          <Standing check={check} open={open.length} isUnsaved={isChanged && id !== ""} isEmpty={spec.tasks.length === 0} />
        </Heading>
        {isKeptShown && kept && <KeptNote kept={kept} onDiscard={() => begin(first, job?.updated_time)} />}
        {saving.conflict && <ConflictNote job={saving.conflict} onTake={(now) => begin(now.settings, now.updated_time)} onSave={() => save(true)} />}
        <Wrong check={check} circle={circle} />
        <Card>
          <div className="stack">
            <NameField name={spec.name} onChange={(name) => set({ ...spec, name }, "name")} />
            <GraphCard spec={spec} task={task} circle={circle} open={open} actions={actions} />
          </div>
        </Card>
        {isYAMLShown && <YAMLView yaml={check.isCurrent ? check.yaml : undefined} name={spec.name} open={open}
          isFailed={check.problems.length > 0 && check.yaml === undefined} />}
        <div className="job-columns">
          {task && <TaskPanel key={index} spec={spec} task={task} index={index} onChange={set} onSelect={actions.select} onRemove={actions.remove} />}
          <Card title="The whole job" isFlush><JobPanel spec={spec} fires={check.next_fire_times} onChange={set} /></Card>
        </div>
      </div>
    </ProblemsProvider>
  );
}

function NameField({ name, onChange }: { name: string; onChange: (name: string) => void }) {
  const problem = useProblems().at("/name");
  return (
    <Field label="Name of the job" problem={problem}>{(id, described) => (
      <input id={id} className="input" value={name} maxLength={200} autoComplete="off" aria-describedby={described}
        aria-invalid={problem !== undefined || undefined} onChange={(event) => onChange(event.target.value)} />)}</Field>
  );
}

function KeptNote({ kept, onDiscard }: { kept: Kept; onDiscard: () => void }) {
  return (
    <Note><div className="row spread wrap"><span>What you changed <Time value={kept.time} /> and did not save is here again.</span>
      <Button isSmall onClick={onDiscard}>Discard it</Button></div></Note>
  );
}

function ConflictNote({ job, onTake, onSave }: { job: Job; onTake: (job: Job) => void; onSave: () => void }) {
  return (
    <Note tone="warn"><div className="row spread wrap">
      <span role="status">Somebody has saved this job since you began, <Time value={job.updated_time} />.</span>
      <span className="row"><Button isSmall onClick={() => onTake(job)}>Take theirs</Button>
        <Button isSmall tone="danger" onClick={onSave}>Save mine instead</Button></span></div></Note>
  );
}

/** What is wrong and has no place of its own. */
function Wrong({ check, circle }: { check: Check; circle?: string[] }) {
  return (
    <>
      {check.failure && <Failure error={check.failure} />}
      {circle && <Note tone="bad">These tasks wait for each other, so none of them could begin: {circle.map((key, at) => (
        <span key={at}>{at > 0 && " ← "}<span className="mono">{key}</span></span>))}</Note>}
      {check.problems.filter((one) => one.path === "").map((one) => <Note key={one.message} tone="bad">{one.message}</Note>)}
    </>
  );
}

function Standing({ check, open, isUnsaved, isEmpty }: { check: Check; open: number; isUnsaved: boolean; isEmpty: boolean }) {
  const things = (count: number, what: string) => `${count} ${count === 1 ? "thing" : "things"} to ${what}.`;
  const text = isEmpty ? "Add the first task." : check.problems.length > 0 ? things(check.problems.length, "correct")
    : open > 0 ? things(open, "fill in") : check.isCurrent && !check.failure ? "Nothing is wrong with it." : "…";
  return <span role="status" className="small">{text}{isUnsaved ? " Not saved yet." : ""}</span>;
}
