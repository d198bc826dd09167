// Building a job: its tasks as a graph, the selected one, and what is of the whole job.
import { useCallback, useEffect, useReducer, useRef, useState } from "react";
import { call } from "../api/client";
import type { Job, JobSpec } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { navigate, setQuery, useAddress } from "../app/router";
import { useSession } from "../app/session";
import { Button, Card, Empty, Failure, Field, Heading, Loading, Note } from "../ui/parts";
import { Time } from "../ui/time";
import { toast, toastError } from "../ui/toast";
import { Check, ProblemsProvider, problemsOf, useCheck } from "./check";
import { Kept, cycleOf, emptyJob, keepDraft, keptDraft, reduce, restored, withEdges, withTask, withoutTask } from "./draft";
import { GraphEditor } from "./graph";
import { JobPanel } from "./job-panel";
import { kindOf, missing, summary } from "./kinds";
import { TaskPanel } from "./task-panel";
import { YAMLView } from "./yaml";

export function JobEditor({ id }: { id: string }) {
  const { query } = useAddress();
  const [from] = useState(() => Number(id || query.get("from") || 0));
  // As it is now, not as it was when it was last looked at.
  const [opened] = useState(Date.now);
  const job = useQuery(from ? `job/${from}/edited/${opened}` : null, (signal) => call("getJob", { job_id: from }, signal));
  const crumbs = [{ text: "Jobs", to: "/jobs" }];
  if (from && !job.data) {
    return <div className="content"><Heading title={`Job ${from}`} crumbs={crumbs} />
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

/** Keeps what was changed in the browser, and says so when its user goes elsewhere. */
function useKept(id: string, address: string, spec: JobSpec, isChanged: boolean, base: number | undefined) {
  const { session } = useSession();
  const state = useRef({ spec, isChanged, isKept: true, isDone: false });
  state.current = { ...state.current, spec, isChanged };
  const text = JSON.stringify(spec);
  useEffect(() => {
    if (state.current.isDone) return;
    state.current.isKept = keepDraft(session.user_name, id, isChanged ? { spec: state.current.spec, base, time: Date.now() } : undefined);
  }, [session.user_name, id, text, isChanged, base]);
  useEffect(() => {
    // What the browser keeps is back after a reload; only what it could not keep is worth a question.
    const leave = (event: BeforeUnloadEvent) => { if (state.current.isChanged && !state.current.isKept) event.preventDefault(); };
    addEventListener("beforeunload", leave);
    return () => {
      removeEventListener("beforeunload", leave);
      const { isChanged: isOpen, isDone, isKept, spec: last } = state.current;
      if (!isOpen || isDone) return;
      toast(isKept ? `What you changed of ${last.name} is not saved yet. This browser keeps it.` : `What you changed of ${last.name} was too large to be kept and is lost.`,
        isKept ? "plain" : "bad", isKept ? { text: "Go back", run: () => navigate(address) } : undefined);
    };
  }, [address]);
  return useCallback(() => {
    state.current.isDone = true;
    keepDraft(session.user_name, id, undefined);
  }, [session.user_name, id]);
}

function Editor({ id, job, first }: { id: string; job?: Job; first: JobSpec }) {
  const { session } = useSession();
  const { query } = useAddress();
  // What is made of a notebook, or of another job, is kept apart from what is made of nothing.
  const [way] = useState(() => ["notebook", "from"].map((name) => [name, query.get(name)]).find(([, value]) => value !== null));
  const keptAs = id || (way ? `new ${way[0]} ${way[1]}` : "new");
  const address = id ? `/jobs/${id}/edit` : way ? `/jobs/new?${way[0]}=${encodeURIComponent(way[1] ?? "")}` : "/jobs/new";
  const [start] = useState<{ spec: JobSpec; kept?: Kept; base?: number }>(() => {
    const kept = keptDraft(session.user_name, keptAs);
    return { spec: kept?.spec ?? first, kept, base: kept ? kept.base : job?.updated_time };
  });
  const [original, setOriginal] = useState(first);
  const [base, setBase] = useState(start.base);
  const [draft, change] = useReducer(reduce, { past: [], now: start.spec, future: [] });
  const [isRestored, setRestored] = useState(start.kept !== undefined);
  const [isTried, setTried] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [conflict, setConflict] = useState<Job>();
  const [isYAMLShown, setYAMLShown] = useState(false);
  const spec = draft.now;
  const isChanged = JSON.stringify(spec) !== JSON.stringify(original);
  const done = useKept(keptAs, address, spec, isChanged, base);
  const check = useCheck(spec, isYAMLShown);
  const open = missing(spec);
  const problems = problemsOf([...(isTried ? open : []), ...check.problems]);
  const circle = cycleOf(spec.tasks);
  const set = (next: JobSpec, mark?: string) => change({ kind: "set", spec: next, mark });
  const index = Math.max(0, spec.tasks.findIndex((task) => task.task_key === query.get("task")));
  const task = spec.tasks[index];
  const select = (key: string) => setQuery("task", key);

  const latest = useRef(spec);
  latest.current = spec;
  const remove = (key: string) => {
    const { spec: next, removed } = withoutTask(spec, key);
    if (!removed) return;
    set(next);
    const beside = next.tasks[Math.max(0, removed.index - 1)];
    setQuery("task", beside?.task_key ?? null);
    toast(`The task ${key} was removed.`, "plain", { text: "Undo", run: () => { set(restored(latest.current, removed)); select(key); } });
  };
  const add = () => {
    const made = withTask(spec, task);
    set(made.spec);
    select(made.key);
  };
  const connect = (from: string, to: string) => {
    const found = spec.tasks.find((one) => one.task_key === to);
    if (!found || from === to || found.depends_on?.some((edge) => edge.task_key === from)) return;
    set({ ...spec, tasks: spec.tasks.map((one) => one === found ? withEdges(one, [...one.depends_on ?? [], { task_key: from }]) : one) });
    select(to);
  };
  const cut = (from: string, to: string) => {
    set({ ...spec, tasks: spec.tasks.map((one) => one.task_key === to ? withEdges(one, (one.depends_on ?? []).filter((edge) => edge.task_key !== from)) : one) });
    toast(`${to} does not wait for ${from} any more.`, "plain", { text: "Undo", run: () => change({ kind: "undo" }) });
  };
  useUndoKeys(() => change({ kind: "undo" }), () => change({ kind: "redo" }));

  const save = async (isOver: boolean) => {
    setTried(true);
    const wrong = [...open, ...(check.isCurrent ? check.problems : [])][0];
    if (wrong) {
      const at = /^\/tasks\/(\d+)/.exec(wrong.path)?.[1];
      const bad = at === undefined ? undefined : spec.tasks[Number(at)];
      if (bad) select(bad.task_key);
      toast(`It cannot be saved yet. ${bad && !wrong.message.includes(bad.task_key) ? `${bad.task_key}: ` : ""}${wrong.message}`, "bad");
      return;
    }
    setBusy(true);
    try {
      const body = { ...spec, name: spec.name.trim() };
      if (!job) {
        const made = await call("createJob", { body });
        done();
        toast(`The job ${made.settings.name} has been made.`);
        navigate(`/jobs/${made.job_id}`);
        return;
      }
      const now = await call("getJob", { job_id: job.job_id });
      if (now.updated_time !== base && !isOver) { setConflict(now); return; }
      const saved = await call("updateJob", { job_id: job.job_id, body });
      done();
      toast(`The job ${saved.settings.name} has been saved.`);
      navigate(`/jobs/${saved.job_id}`);
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
    }
  };
  const discard = () => { change({ kind: "set", spec: first }); setOriginal(first); setBase(job?.updated_time); setRestored(false); setConflict(undefined); };
  const theirs = (now: Job) => { change({ kind: "set", spec: now.settings }); setOriginal(now.settings); setBase(now.updated_time); setConflict(undefined); };

  const keys = spec.tasks.map((one) => one.task_key);
  return (
    <ProblemsProvider value={problems}>
      <div className="content job-editor">
        <Heading title={id ? `Edit ${original.name}` : "New job"} crumbs={[{ text: "Jobs", to: "/jobs" }, ...(job ? [{ text: original.name, to: `/jobs/${id}` }] : [])]} actions={<>
          <Button tone="quiet" aria-label="Undo" title="Undo (Ctrl+Z)" icon="undo" disabled={draft.past.length === 0} onClick={() => change({ kind: "undo" })} />
          <Button tone="quiet" aria-label="Redo" title="Redo (Ctrl+Shift+Z)" icon="redo" disabled={draft.future.length === 0} onClick={() => change({ kind: "redo" })} />
          <Button icon="code" aria-pressed={isYAMLShown} onClick={() => setYAMLShown(!isYAMLShown)}>YAML</Button>
          <Button tone="primary" icon="check" isBusy={isBusy} onClick={() => void save(false)}>{id ? "Save" : "Create"}</Button>
        </>}>
          <Standing check={check} open={open.length} isChanged={isChanged} isNew={!id} isEmpty={spec.tasks.length === 0} />
        </Heading>
        {isRestored && start.kept && <Note><div className="row spread wrap"><span>What you changed <Time value={start.kept.time} /> and did not save is here again.</span>
          <Button isSmall onClick={discard}>Discard it</Button></div></Note>}
        {conflict && <Note tone="warn"><div className="row spread wrap"><span>Somebody has saved this job since you began, <Time value={conflict.updated_time} />.</span>
          <span className="row"><Button isSmall onClick={() => theirs(conflict)}>Take theirs</Button><Button isSmall tone="danger" onClick={() => { setConflict(undefined); void save(true); }}>Save mine instead</Button></span></div></Note>}
        {check.failure && <Failure error={check.failure} />}
        {circle && <Note tone="bad">These tasks wait for each other, so none of them could begin: {circle.map((key, at) => <span key={at}>{at > 0 && " ← "}<span className="mono">{key}</span></span>)}</Note>}
        {problems.all.filter((one) => one.path === "").map((one) => <Note key={one.message} tone="bad">{one.message}</Note>)}
        <Card>
          <div className="stack">
            <Field label="Name of the job" problem={problems.at("/name")}>{(field, described) => (
              <input id={field} className="input" value={spec.name} maxLength={200} autoComplete="off" aria-describedby={described} aria-invalid={problems.at("/name") !== undefined || undefined}
                onChange={(event) => set({ ...spec, name: event.target.value }, "name")} />)}</Field>
            {spec.tasks.length === 0 ? (
              <Empty icon="jobs" title="It has no task yet" action={<Button tone="primary" icon="plus" onClick={add}>Add a task</Button>}>
                A task runs a notebook, a script or a query. Others come after it.</Empty>
            ) : <>
              <GraphEditor tasks={spec.tasks} selected={task?.task_key} circle={circle} onSelect={select} onConnect={connect} onCut={cut} onRemove={remove}
                look={(one) => {
                  const at = `/tasks/${keys.indexOf(one.task_key)}`;
                  const count = problems.all.filter(({ path }) => path === at || path.startsWith(`${at}/`)).length;
                  return { text: summary(one), kind: kindOf(one)?.text ?? "", problems: count, isUnfinished: open.some(({ path }) => path.startsWith(`${at}/`)) };
                }} />
              <div className="row wrap"><Button icon="plus" onClick={add}>Add a task</Button>
                <span className="soft small">after <span className="mono">{task?.task_key}</span>. Drag from one task to another to join them.</span></div>
            </>}
          </div>
        </Card>
        {isYAMLShown && <YAMLView yaml={check.isCurrent ? check.yaml : undefined} name={spec.name} open={open} isFailed={check.problems.length > 0 && check.yaml === undefined} />}
        <div className="job-columns">
          {task && <TaskPanel key={index} spec={spec} task={task} index={index} onChange={set} onSelect={select} onRemove={remove} />}
          <Card title="The whole job" isFlush><JobPanel spec={spec} fires={check.next_fire_times} onChange={set} /></Card>
        </div>
      </div>
    </ProblemsProvider>
  );
}

function Standing({ check, open, isChanged, isNew, isEmpty }: { check: Check; open: number; isChanged: boolean; isNew: boolean; isEmpty: boolean }) {
  const wrong = check.problems.length;
  const text = isEmpty ? "Add the first task." : wrong > 0 ? `${wrong} ${wrong === 1 ? "thing" : "things"} to correct.`
    : open > 0 ? `${open} ${open === 1 ? "thing" : "things"} to fill in.` : check.isCurrent && !check.failure ? "Nothing is wrong with it." : "…";
  return <span role="status" className="small">{text}{isChanged && !isNew ? " Not saved yet." : ""}</span>;
}

/** Ctrl+Z and its like, except where somebody types: there the browser's own undo is better. */
function useUndoKeys(undo: () => void, redo: () => void) {
  const work = useRef({ undo, redo });
  work.current = { undo, redo };
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.altKey || document.querySelector("dialog[open]")) return;
      if (event.target instanceof HTMLElement && event.target.closest("input:not([type=checkbox]), textarea, select")) return;
      const key = event.key.toLowerCase();
      if (key !== "z" && key !== "y") return;
      event.preventDefault();
      if (key === "y" || event.shiftKey) work.current.redo();
      else work.current.undo();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}

