// The graph of the job that is built, and what can be done with its tasks.
import { useLayoutEffect, useRef } from "react";
import type { JobProblem, JobSpec, TaskSpec } from "../api/generated/contract";
import { setQuery } from "../app/router";
import { Button, Empty } from "../ui/parts";
import { toast } from "../ui/toast";
import { useProblems } from "./check";
import { restored, withEdges, withTask, withoutTask } from "./draft";
import { GraphEditor, NodeLook } from "./graph";
import { kindOf, summary } from "./kinds";

export interface TaskActions {
  select: (key: string) => void; add: () => void; remove: (key: string) => void;
  connect: (from: string, to: string) => void; cut: (from: string, to: string) => void;
}

/** The changes of the graph; what is taken away can be had back. */
export function useTaskActions(spec: JobSpec, task: TaskSpec | undefined, set: (spec: JobSpec) => void, undo: () => void): TaskActions {
  // Undo puts back into the job as it is by then.
  const latest = useRef(spec);
  latest.current = spec;
  const select = (key: string) => setQuery("task", key);
  const withEdgesOf = (key: string, change: (one: TaskSpec) => TaskSpec) =>
    set({ ...spec, tasks: spec.tasks.map((one) => one.task_key === key ? change(one) : one) });
  return {
    select,
    add: () => {
      const made = withTask(spec, task);
      set(made.spec);
      select(made.key);
    },
    remove: (key) => {
      const { spec: next, removed } = withoutTask(spec, key);
      if (!removed) return;
      set(next);
      setQuery("task", next.tasks[Math.max(0, removed.index - 1)]?.task_key ?? null);
      const back = () => { set(restored(latest.current, removed)); select(key); };
      toast(`The task ${key} was removed.`, "plain", { text: "Undo", run: back });
    },
    connect: (from, to) => {
      const found = spec.tasks.find((one) => one.task_key === to);
      if (!found || from === to || found.depends_on?.some((edge) => edge.task_key === from)) return;
      withEdgesOf(to, (one) => withEdges(one, [...one.depends_on ?? [], { task_key: from }]));
      select(to);
    },
    cut: (from, to) => {
      withEdgesOf(to, (one) => withEdges(one, (one.depends_on ?? []).filter((edge) => edge.task_key !== from)));
      toast(`${to} does not wait for ${from} any more.`, "plain", { text: "Undo", run: undo });
    },
  };
}

export function GraphCard({ spec, task, circle, open, actions }: {
  spec: JobSpec; task?: TaskSpec; circle?: string[]; open: JobProblem[]; actions: TaskActions;
}) {
  const problems = useProblems();
  if (spec.tasks.length === 0) {
    return (
      <Empty icon="jobs" title="It has no task yet" action={<Button tone="primary" icon="plus" onClick={actions.add}>Add a task</Button>}>
        A task runs a notebook, a script or a query. Others come after it.</Empty>
    );
  }
  const places = new Map(spec.tasks.map((one, index) => [one.task_key, `/tasks/${index}`]));
  const look = (one: TaskSpec): NodeLook => {
    const at = places.get(one.task_key) ?? "";
    const isOf = ({ path }: JobProblem) => path === at || path.startsWith(`${at}/`);
    return {
      text: summary(one), kind: kindOf(one)?.text ?? "", problems: problems.all.filter(isOf).length, isUnfinished: open.some(isOf),
    };
  };
  return (
    <>
      <GraphEditor tasks={spec.tasks} selected={task?.task_key} circle={circle} look={look} onSelect={actions.select}
        onConnect={actions.connect} onCut={actions.cut} onRemove={actions.remove} />
      <div className="row wrap"><Button icon="plus" onClick={actions.add}>Add a task</Button>
        <span className="soft small">after <span className="mono">{task?.task_key}</span>. Drag from one task to another to join them.</span></div>
    </>
  );
}

/** Ctrl+Z and its like, except where somebody types: there the browser's own undo is better. */
export function useUndoKeys(undo: () => void, redo: () => void): void {
  const work = useRef({ undo, redo });
  work.current = { undo, redo };
  useLayoutEffect(() => {
    const press = (event: KeyboardEvent) => {
      const key = event.key.toLowerCase();
      if (!(event.ctrlKey || event.metaKey) || event.altKey || (key !== "z" && key !== "y")) return;
      if (document.querySelector("dialog[open]")) return;
      if (event.target instanceof HTMLElement && event.target.closest("input:not([type=checkbox]), textarea, select")) return;
      event.preventDefault();
      if (key === "y" || event.shiftKey) work.current.redo();
      else work.current.undo();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}
