// The selected task: what it is, where it runs, after which others, and what becomes of its failures.
import { useEffect, useState } from "react";
import type { JobSpec, RunIf, TaskDependency, TaskSpec } from "../api/generated/contract";
import { Button, Card, Note, TabPanel, Tabs } from "../ui/parts";
import { ClusterChoice, withCluster } from "./cluster-fields";
import { useProblems } from "./check";
import { freeKey, renamed, withEdges } from "./draft";
import { Check, JSONField, Select, Text, Whole } from "./fields";
import { KindFields } from "./kind-fields";
import { kindOf, kinds, withKind, wrongForm } from "./kinds";

const rules: Record<RunIf, string> = {
  ALL_SUCCESS: "all have succeeded", NONE_FAILED: "none has failed", ALL_DONE: "all have ended, however",
  AT_LEAST_ONE_SUCCESS: "at least one has succeeded", ALL_FAILED: "all have failed", AT_LEAST_ONE_FAILED: "at least one has failed",
};

interface Props {
  spec: JobSpec; task: TaskSpec; index: number;
  onChange: (spec: JobSpec, mark?: string) => void; onSelect: (key: string) => void; onRemove: (key: string) => void;
}

export function TaskPanel({ spec, task, index, onChange, onSelect, onRemove }: Props) {
  const [view, setView] = useState<"form" | "json">("form");
  const path = `/tasks/${index}`;
  const problems = useProblems();
  const own = problems.all.filter((one) => one.path === path);
  const set = (next: TaskSpec, mark?: string) => onChange({ ...spec, tasks: spec.tasks.map((one, at) => at === index ? next : one) }, mark && `${index} ${mark}`);
  return (
    <Card title={<>Task <span className="mono">{task.task_key}</span></>}
      actions={<Button isSmall tone="quiet" icon="trash" onClick={() => onRemove(task.task_key)}>Remove</Button>}>
      <div className="stack">
        <Tabs label="How the task is shown" current={view} onChange={setView} tabs={[{ id: "form", text: "Form" }, { id: "json", text: "JSON" }]} />
        {own.map((one) => <Note key={one.message} tone="bad">{one.message}</Note>)}
        <TabPanel id={view}>{view === "form" ? <Form spec={spec} task={task} index={index} path={path} set={set} onChange={onChange} onSelect={onSelect} />
          : <JSONField label="The task as JSON" path={path} rows={20} value={task} wrong={wrongForm}
            hint="Libraries, retries with growing waits, and all else that the form has no field for."
            onChange={(next: TaskSpec) => {
              // Its name is changed in the form, where whatever names it follows.
              set({ ...next, task_key: task.task_key }, "json");
            }} />}</TabPanel>
      </div>
    </Card>
  );
}

function Form({ spec, task, index, path, set, onChange, onSelect }: Omit<Props, "onRemove"> & { path: string; set: (task: TaskSpec, mark?: string) => void }) {
  const kind = kindOf(task);
  const isTried = kind?.name !== "condition_task" && kind?.name !== "for_each_task";
  const member = <K extends keyof TaskSpec>(name: K, value: TaskSpec[K] | undefined) => {
    const { [name]: _, ...rest } = task;
    set((value === undefined ? rest : { ...task, [name]: value }) as TaskSpec, name);
  };
  const named = (next: TaskSpec, name: string) => {
    if (!/^task(_\d+)?$/.test(task.task_key)) { set(next); return; }
    const key = freeKey(spec, name);
    onChange(renamed({ ...spec, tasks: spec.tasks.map((one, at) => at === index ? next : one) }, task.task_key, key));
    onSelect(key);
  };
  const toCluster = (next: TaskSpec, isNewCluster?: boolean) => {
    if (!isNewCluster) { set(next, "cluster"); return; }
    const { spec: more, key } = withCluster(spec);
    const { existing_cluster_id: _e, new_cluster: _n, ...rest } = next;
    onChange({ ...more, tasks: more.tasks.map((one, at) => at === index ? { ...rest, job_cluster_key: key } : one) });
  };
  return (
    <>
      <div className="halves">
        <KeyField spec={spec} task={task} onChange={(key) => { onChange(renamed(spec, task.task_key, key), `name ${index}`); onSelect(key); }} />
        <Select label="Kind" value={kind?.name ?? ""} hint={kind?.hint}
          options={[...(kind ? [] : [{ value: "", text: "none" }]), ...kinds.map((one) => ({ value: one.name, text: one.text }))]}
          onChange={(name) => {
            const next = kinds.find((one) => one.name === name);
            if (next) set(withKind(task, next, spec.job_clusters?.[0]?.job_cluster_key));
          }} />
      </div>
      {kind && <KindFields key={`${index} ${kind.name}`} kind={kind} spec={spec} task={task} path={path} onChange={set} onName={named} />}
      {kind?.hasCluster && <ClusterChoice spec={spec} task={task} path={path} onChange={toCluster} />}
      <Dependencies spec={spec} task={task} path={path} onChange={(edges) => set(withEdges(task, edges))} />
      {(task.depends_on?.length ?? 0) > 0 && (
        <Select label="Runs when, of these," path={`${path}/run_if`} value={task.run_if ?? "ALL_SUCCESS"}
          options={Object.entries(rules).map(([value, text]) => ({ value, text }))}
          onChange={(value) => member("run_if", value === "ALL_SUCCESS" ? undefined : value as RunIf)} />)}
      <details><summary>Retries, time limit, description</summary>
        <div className="stack">
          <div className="thirds">
            {isTried && <Whole label="Retries" path={`${path}/max_retries`} min={-1} max={100} placeholder="0" hint="-1: any number"
              value={task.max_retries} onChange={(value) => member("max_retries", value)} />}
            {isTried && <Whole label="Seconds between" path={`${path}/min_retry_interval_millis`} min={0} placeholder="0"
              value={task.min_retry_interval_millis === undefined ? undefined : task.min_retry_interval_millis / 1000}
              onChange={(value) => member("min_retry_interval_millis", value === undefined ? undefined : Math.round(value * 1000))} />}
            <Whole label="Ends after seconds" path={`${path}/timeout_seconds`} min={0} placeholder="no limit" value={task.timeout_seconds}
              onChange={(value) => member("timeout_seconds", value)} />
          </div>
          {isTried && <Check label="Try again after a timeout as well" value={task.retry_on_timeout ?? false}
            onChange={(value) => member("retry_on_timeout", value || undefined)} />}
          <Check label="Disabled" hint="Left out, as if it were not in the job." value={task.disabled ?? false}
            onChange={(value) => member("disabled", value || undefined)} />
          <Text label="Description" rows={2} path={`${path}/description`} value={task.description ?? ""}
            onChange={(value) => member("description", value || undefined)} />
        </div>
      </details>
    </>
  );
}

/** The name of a task; it is taken over once no other task has it and it has the right form. */
function KeyField({ spec, task, onChange }: { spec: JobSpec; task: TaskSpec; onChange: (key: string) => void }) {
  const [text, setText] = useState(task.task_key);
  useEffect(() => setText(task.task_key), [task.task_key]);
  const isTaken = text !== task.task_key && spec.tasks.some((one) => one.task_key === text || one.for_each_task?.task.task_key === text);
  const problem = isTaken ? "Another task has this name." : text === "" ? "Give it a name."
    : !/^[A-Za-z0-9_-]{1,100}$/.test(text) ? "Letters, digits, _ and -, at most 100." : undefined;
  return <Text label="Name of the task" isMono value={text} problem={problem} onChange={(next) => {
    setText(next);
    const isFree = !spec.tasks.some((one) => one !== task && (one.task_key === next || one.for_each_task?.task.task_key === next));
    if (next !== task.task_key && isFree && /^[A-Za-z0-9_-]{1,100}$/.test(next)) onChange(next);
  }} />;
}

function Dependencies({ spec, task, path, onChange }: { spec: JobSpec; task: TaskSpec; path: string; onChange: (edges: TaskDependency[]) => void }) {
  const problems = useProblems();
  const said = problems.at(`${path}/depends_on`);
  const edges = task.depends_on ?? [];
  const others = spec.tasks.filter((one) => one !== task);
  // What is named and is not there can be taken away as well.
  const lost = edges.filter((edge) => !spec.tasks.some((one) => one.task_key === edge.task_key) || edge.task_key === task.task_key);
  if (others.length === 0 && lost.length === 0) return null;
  return (
    <fieldset className="pairs">
      <legend>Comes after</legend>
      <div className="checks">
        {[...others.map((one) => one.task_key), ...lost.map((edge) => edge.task_key)].map((key) => {
          const edge = edges.find((one) => one.task_key === key);
          const isCondition = spec.tasks.find((one) => one.task_key === key)?.condition_task !== undefined;
          return (
            <span key={key} className="row">
              <label className="check"><input type="checkbox" checked={edge !== undefined}
                onChange={(event) => onChange(event.target.checked ? [...edges, { task_key: key }] : edges.filter((one) => one.task_key !== key))} />
                <span className="mono">{key}</span></label>
              {edge && isCondition && (
                <select className="input small" aria-label={`Outcome of ${key}`} value={edge.outcome ?? ""}
                  onChange={(event) => {
                    const outcome = event.target.value ? { outcome: event.target.value } : {};
                    onChange(edges.map((one) => one === edge ? { task_key: key, ...outcome } : one));
                  }}>
                  <option value="">either way</option><option value="true">if true</option><option value="false">if false</option>
                </select>)}
            </span>
          );
        })}
      </div>
      {said ? <div className="problem">{said}</div> : <div className="hint">Or drag a task onto this one in the graph.</div>}
    </fieldset>
  );
}
