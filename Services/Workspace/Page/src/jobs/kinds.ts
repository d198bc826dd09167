// What a task can be: a name for people, what it needs, and what is put in its place while it is checked unfinished.
import type { JobProblem, JobSpec, TaskSpec } from "../api/generated/contract";

export type KindName = "notebook_task" | "spark_python_task" | "sql_task" | "shell_task" | "python_wheel_task" | "spark_submit_task"
  | "condition_task" | "for_each_task" | "run_job_task" | "webhook_task" | "airflow_task";

export interface Kind {
  name: KindName; text: string; hint: string; hasCluster: boolean;
  /** What it is when it is chosen. */
  first: () => object;
  /** Members that cannot be empty, what is said of them, and what stands for them in a check until they are there. */
  needs: Array<{ member: string; said: string; stand: string }>;
}

export const kinds: Kind[] = [
  { name: "notebook_task", text: "Notebook", hasCluster: true, hint: "A notebook of the workspace, at its newest revision when the run begins.",
    first: () => ({ notebook_path: "" }), needs: [{ member: "notebook_path", said: "Choose the notebook.", stand: "/notebook" }] },
  { name: "spark_python_task", text: "Python script", hasCluster: true, hint: "A Python file of the workspace, run as a program.",
    first: () => ({ python_file: "" }), needs: [{ member: "python_file", said: "Choose the file.", stand: "/file.py" }] },
  { name: "sql_task", text: "SQL", hasCluster: true, hint: "Statements on Spark; write :name for a parameter.",
    first: () => ({ statement: "" }),
      needs: [{ member: "statement", said: "Write the statement.", stand: "SELECT 1" }, { member: "file", said: "Choose the file.", stand: "/file.sql" }] },
  { name: "shell_task", text: "Shell script", hasCluster: true, hint: "A script for bash on the cluster's driver.",
    first: () => ({ command: "" }), needs: [{ member: "command", said: "Write the script.", stand: ":" }] },
  { name: "python_wheel_task", text: "Python wheel", hasCluster: true, hint: "An entry point of an installed package.",
    first: () => ({ package_name: "", entry_point: "" }),
    needs: [{ member: "package_name", said: "Name the package.", stand: "p" }, { member: "entry_point", said: "Name the entry point.", stand: "e" }] },
  { name: "spark_submit_task", text: "Spark submit", hasCluster: true, hint: "A jar or a Python file by spark-submit, in a Spark of its own.",
    first: () => ({ parameters: ["/data/app.py"] }), needs: [] },
  { name: "condition_task", text: "Condition", hasCluster: false, hint: "Compares two values; what depends on it follows one outcome.",
    first: () => ({ op: "EQUAL_TO", left: "", right: "" }), needs: [] },
  { name: "for_each_task", text: "For each", hasCluster: false, hint: "Runs its nested task once for each value of a list.",
    first: () => ({ inputs: "[1, 2, 3]", concurrency: 1, task: { task_key: "each", webhook_task: { url: "https://example.org/{{input}}" } } }), needs: [] },
  { name: "run_job_task", text: "Run a job", hasCluster: false, hint: "A run of another job; waits for its end.",
    first: () => ({ job_id: 0 }), needs: [] },
  { name: "webhook_task", text: "Webhook", hasCluster: false, hint: "Calls an HTTP address; the answer is the exit value.",
    first: () => ({ url: "" }), needs: [{ member: "url", said: "Write the address.", stand: "https://example.org" }] },
  { name: "airflow_task", text: "Airflow DAG", hasCluster: false, hint: "Runs a DAG of the Airflow that the operator has named.",
    first: () => ({ dag_id: "" }), needs: [{ member: "dag_id", said: "Name the DAG.", stand: "dag" }] },
];

export function kindOf(task: TaskSpec): Kind | undefined { return kinds.find((kind) => task[kind.name] !== undefined); }

export function partOf(task: TaskSpec, kind: Kind): Record<string, unknown> {
  return (task[kind.name] ?? {}) as Record<string, unknown>;
}

/** A task of another kind: what only the old kind had is gone, and so is a cluster where there can be none. */
export function withKind(task: TaskSpec, to: Kind, cluster: string | undefined): TaskSpec {
  const from = kindOf(task);
  const next: TaskSpec = { ...task };
  if (from) delete next[from.name];
  Object.assign(next, { [to.name]: to.first() });
  if (!to.hasCluster) {
    for (const name of ["existing_cluster_id", "job_cluster_key", "new_cluster", "libraries"] as const) delete next[name];
    if (to.name === "condition_task" || to.name === "for_each_task") { delete next.max_retries; delete next.retry_on_timeout; }
  } else if (!next.existing_cluster_id && !next.job_cluster_key && !next.new_cluster) {
    if (cluster) next.job_cluster_key = cluster;
    else next.new_cluster = { cluster_name: task.task_key };
  }
  return next;
}

/** What a task does, in a line. */
export function summary(task: TaskSpec): string {
  if (task.notebook_task) return task.notebook_task.notebook_path.split("/").pop() ?? "";
  if (task.spark_python_task) return task.spark_python_task.python_file.split("/").pop() ?? "";
  if (task.sql_task) return (task.sql_task.statement ?? task.sql_task.file ?? "").trim().split("\n")[0] ?? "";
  if (task.shell_task) return task.shell_task.command.trim().split("\n")[0] ?? "";
  if (task.python_wheel_task) return `${task.python_wheel_task.package_name} ${task.python_wheel_task.entry_point}`.trim();
  if (task.condition_task) return `${task.condition_task.left} ${signs[task.condition_task.op]} ${task.condition_task.right}`;
  if (task.for_each_task) return `for each: ${task.for_each_task.task.task_key}`;
  if (task.run_job_task) return `job ${task.run_job_task.job_id || "?"}`;
  if (task.webhook_task) return task.webhook_task.url;
  return task.airflow_task?.dag_id ?? "";
}

export const signs: Record<string, string> = {
  EQUAL_TO: "=", NOT_EQUAL: "≠", GREATER_THAN: ">", GREATER_THAN_OR_EQUAL: "≥", LESS_THAN: "<", LESS_THAN_OR_EQUAL: "≤",
};

/** What is not filled in yet. */
export function missing(spec: JobSpec): JobProblem[] {
  const found: JobProblem[] = [];
  if (!spec.name.trim()) found.push({ path: "/name", message: "Give the job a name." });
  if (spec.tasks.length === 0) found.push({ path: "/tasks", message: "Add a task." });
  spec.tasks.forEach((task, index) => {
    const kind = kindOf(task);
    if (!kind) return;
    const part = partOf(task, kind);
    for (const need of kind.needs) {
      if (part[need.member] === "") found.push({ path: `/tasks/${index}/${kind.name}/${need.member}`, message: need.said });
    }
    if (task.run_job_task?.job_id === 0) found.push({ path: `/tasks/${index}/run_job_task/job_id`, message: "Choose the job." });
    if (task.existing_cluster_id === "") found.push({ path: `/tasks/${index}/existing_cluster_id`, message: "Choose the cluster." });
  });
  return found;
}

/** The job as it can be checked while it is not finished: something stands where nothing is yet. */
export function checkable(spec: JobSpec): JobSpec | undefined {
  if (spec.tasks.length === 0) return undefined;
  const tasks = spec.tasks.map((task) => {
    const kind = kindOf(task);
    if (!kind) return task;
    const part = partOf(task, kind);
    const empty = kind.needs.filter((need) => part[need.member] === "");
    if (empty.length === 0) return task;
    return { ...task, [kind.name]: { ...part, ...Object.fromEntries(empty.map((need) => [need.member, need.stand])) } };
  });
  return { ...spec, name: spec.name.trim() || "job", tasks };
}

const texts = "notebook_path python_file statement file command package_name entry_point url dag_id left right op inputs method body".split(" ");
const maps = "base_parameters named_parameters environment headers conf job_parameters".split(" ");
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
const isEdge = (value: unknown) => isObject(value) && typeof value.task_key === "string";

/** Why what somebody wrote as JSON cannot even be shown as a task; all else the scheduler judges. */
export function wrongForm(task: unknown): string | undefined {
  if (!isObject(task) || typeof task.task_key !== "string") return "A task has a task_key.";
  if (task.depends_on !== undefined && !(Array.isArray(task.depends_on) && task.depends_on.every(isEdge))) {
    return "depends_on is a list of objects with a task_key.";
  }
  if (task.libraries !== undefined && !Array.isArray(task.libraries)) return "libraries is a list.";
  for (const { name } of kinds) {
    const part = task[name];
    if (part === undefined) continue;
    if (!isObject(part)) return `${name} is an object.`;
    const bad = Object.keys(part).find((member) => (texts.includes(member) && typeof part[member] !== "string")
      || (maps.includes(member) && !isObject(part[member]))
      || (member === "parameters" && (name === "sql_task" ? !isObject(part[member]) : !Array.isArray(part[member]))));
    if (bad) return `${bad} of ${name} has not the right form.`;
    if (name === "for_each_task") {
      const inside = wrongForm(part.task);
      if (inside) return `The nested task: ${inside}`;
    }
    const absent = [...Object.keys(kinds.find((kind) => kind.name === name)?.first() ?? {})].find((member) =>
      part[member] === undefined && !(name === "sql_task" || member === "concurrency"));
    if (absent) return `${name} needs ${absent}.`;
  }
  return undefined;
}
