// A job while it is built: what is changed of it, undone and redone, and what is kept of it in the browser.
import type { JobSpec, TaskDependency, TaskSpec } from "../api/generated/contract";
import { wrongForm } from "./kinds";

export interface Draft { past: JobSpec[]; now: JobSpec; future: JobSpec[]; /** What was changed last: typing on is one change. */ mark?: string }

export type Change =
  | { kind: "set"; spec: JobSpec; mark?: string }
  | { kind: "undo" } | { kind: "redo" };

const most = 100;

export function reduce(draft: Draft, change: Change): Draft {
  switch (change.kind) {
    case "set": {
      const isMore = change.mark !== undefined && change.mark === draft.mark;
      return { past: isMore ? draft.past : [...draft.past.slice(1 - most), draft.now], now: change.spec, future: [], mark: change.mark };
    }
    case "undo": {
      const before = draft.past[draft.past.length - 1];
      return before ? { past: draft.past.slice(0, -1), now: before, future: [draft.now, ...draft.future] } : draft;
    }
    default: {
      const [next, ...rest] = draft.future;
      return next ? { past: [...draft.past, draft.now], now: next, future: rest } : draft;
    }
  }
}

export const emptyJob: JobSpec = {
  name: "New job",
  tasks: [],
  job_clusters: [{ job_cluster_key: "main", new_cluster: { cluster_name: "main", num_workers: 0 } }],
};

/** A name that no task has yet. */
export function freeKey(spec: JobSpec, wanted: string): string {
  const taken = new Set(spec.tasks.flatMap((task) => [task.task_key, task.for_each_task?.task.task_key]));
  const base = wanted.replace(/[^A-Za-z0-9_-]+/g, "_").slice(0, 90) || "task";
  for (let number = 1; ; number += 1) {
    const key = number === 1 ? base : `${base}_${number}`;
    if (!taken.has(key)) return key;
  }
}

/** A task after another one, on the same cluster. */
export function withTask(spec: JobSpec, after: TaskSpec | undefined, notebook = ""): { spec: JobSpec; key: string } {
  const key = freeKey(spec, notebook ? notebook.split("/").pop() ?? "task" : "task");
  const cluster = spec.job_clusters?.[0]?.job_cluster_key;
  const place: Partial<TaskSpec> = after?.job_cluster_key ? { job_cluster_key: after.job_cluster_key }
    : after?.existing_cluster_id ? { existing_cluster_id: after.existing_cluster_id }
      : cluster ? { job_cluster_key: cluster } : { new_cluster: { cluster_name: key } };
  const task: TaskSpec = {
    task_key: key, ...(after ? { depends_on: [{ task_key: after.task_key }] } : {}), notebook_task: { notebook_path: notebook }, ...place,
  };
  const index = after ? spec.tasks.indexOf(after) + 1 : spec.tasks.length;
  return { spec: { ...spec, tasks: [...spec.tasks.slice(0, index), task, ...spec.tasks.slice(index)] }, key };
}

export interface Removed { task: TaskSpec; index: number; edges: Array<{ of: string; edge: TaskDependency; at: number }> }

/** Takes a task away with all edges to it, and says what it takes to have it back. */
export function withoutTask(spec: JobSpec, key: string): { spec: JobSpec; removed?: Removed } {
  const index = spec.tasks.findIndex((task) => task.task_key === key);
  const task = spec.tasks[index];
  if (!task) return { spec };
  const edges = spec.tasks.flatMap((one) => (one.depends_on ?? []).flatMap((edge, at) =>
    edge.task_key === key ? [{ of: one.task_key, edge, at }] : []));
  const tasks = spec.tasks.filter((one) => one !== task).map((one) => one.depends_on?.some((edge) => edge.task_key === key)
    ? withEdges(one, one.depends_on.filter((edge) => edge.task_key !== key)) : one);
  return { spec: { ...spec, tasks }, removed: { task, index, edges } };
}

/** Puts back what was taken away, into the job as it is by now. */
export function restored(spec: JobSpec, { task, index, edges }: Removed): JobSpec {
  if (spec.tasks.some((one) => one.task_key === task.task_key)) return spec;
  const tasks = spec.tasks.map((one) => {
    const lost = edges.filter((edge) => edge.of === one.task_key);
    if (lost.length === 0) return one;
    const all = [...one.depends_on ?? []];
    for (const { edge, at } of lost) all.splice(at, 0, edge);
    return withEdges(one, all);
  });
  // What it waited for may be gone as well.
  const keys = new Set(tasks.map((one) => one.task_key));
  tasks.splice(index, 0, withEdges(task, (task.depends_on ?? []).filter((edge) => keys.has(edge.task_key))));
  return { ...spec, tasks };
}

export function withEdges(task: TaskSpec, edges: TaskDependency[]): TaskSpec {
  const { depends_on: _, ...rest } = task;
  return edges.length > 0 ? { ...task, depends_on: edges } : rest;
}

/** Gives a task another name, and so whatever names it: edges and references. */
export function renamed(spec: JobSpec, from: string, to: string): JobSpec {
  const reference = new RegExp(`(\\{\\{\\s*tasks\\.)${from.replace(/[-]/g, "\\-")}(?=\\.)`, "g");
  const inTexts = (value: unknown): unknown => {
    if (typeof value === "string") return value.replace(reference, `$1${to}`);
    if (Array.isArray(value)) return value.map(inTexts);
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, inTexts(one)]));
    return value;
  };
  const tasks = spec.tasks.map((task) => {
    const changed = inTexts(task) as TaskSpec;
    return {
      ...changed, task_key: task.task_key === from ? to : task.task_key,
      ...(task.depends_on ? { depends_on: task.depends_on.map((edge) => edge.task_key === from ? { ...edge, task_key: to } : edge) } : {}),
    };
  });
  return { ...spec, tasks };
}

/** The tasks that wait for each other, the first repeated at the end; undefined when all can run. */
export function cycleOf(tasks: TaskSpec[]): string[] | undefined {
  const before = new Map(tasks.map((task) => [task.task_key, (task.depends_on ?? []).map((edge) => edge.task_key)]));
  const done = new Set<string>();
  for (const { task_key: start } of tasks) {
    const path: Array<{ key: string; next: number }> = [{ key: start, next: 0 }];
    while (path.length > 0) {
      const last = path[path.length - 1] as { key: string; next: number };
      const next = done.has(last.key) ? undefined : before.get(last.key)?.[last.next];
      if (next === undefined) { done.add(last.key); path.pop(); continue; }
      last.next += 1;
      const at = path.findIndex((one) => one.key === next);
      if (at >= 0) return [...path.slice(at).map((one) => one.key), next];
      if (before.has(next) && !done.has(next)) path.push({ key: next, next: 0 });
    }
  }
  return undefined;
}

/** What is kept of a job that was changed and not saved. */
export interface Kept {
  spec: JobSpec;
  /** `updated_time` of the job that it was made from. */
  base?: number;
  /** What a new job is asked for with, so that asking again after a lost answer makes no second one. */
  token?: string;
  time: number;
}

const nameOf = (user: string, id: string) => `harbour.job-draft/${user}/${id}`;

export function keptDraft(user: string, id: string): Kept | undefined {
  try {
    const kept = JSON.parse(localStorage.getItem(nameOf(user, id)) ?? "null") as Kept | null;
    return kept && Array.isArray(kept.spec?.tasks) && !kept.spec.tasks.some(wrongForm) ? kept : undefined;
  } catch {
    return undefined;
  }
}

/** - Returns: whether the browser could keep it. */
export function keepDraft(user: string, id: string, kept: Kept | undefined): boolean {
  try {
    if (kept) localStorage.setItem(nameOf(user, id), JSON.stringify(kept));
    else localStorage.removeItem(nameOf(user, id));
    return true;
  } catch {
    return false;
  }
}
