// The form of each kind of task; the rare ones are written as JSON.
import { call } from "../api/client";
import type { JobSpec, TaskSpec } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { JSONField, Lines, MapField, Select, Text } from "./fields";
import { Kind, partOf, signs, wrongForm } from "./kinds";
import { PathField } from "./picker";

interface Props { spec: JobSpec; task: TaskSpec; path: string; onChange: (task: TaskSpec, mark?: string) => void;
  /** Gives a task that nobody has named the name of its notebook. */
  onName?: (task: TaskSpec, name: string) => void }

const references = <>May hold references such as <code>{"{{job.parameters.day}}"}</code> or <code>{"{{tasks.load.values.rows}}"}</code>.</>;

/** A part with one member set, or without it. */
function having<T extends object>(part: T, member: keyof T, value: unknown): T {
  const next = { ...part };
  if (value === undefined) delete next[member];
  else next[member] = value as T[keyof T];
  return next;
}

export function KindFields({ kind, ...props }: Props & { kind: Kind }) {
  const { task, onChange, path: above } = props;
  const path = `${above}/${kind.name}`;
  const part = partOf(task, kind);
  const set = (member: string, value: unknown) => onChange({ ...task, [kind.name]: having(part, member, value) }, `${task.task_key} ${member}`);
  const text = (member: string) => typeof part[member] === "string" ? part[member] as string : "";
  switch (kind.name) {
    case "notebook_task": return <>
      <PathField label="Notebook" type="NOTEBOOK" path={`${path}/notebook_path`} value={text("notebook_path")}
        onChange={(value) => set("notebook_path", value)}
        onPick={(value) => props.onName?.({ ...task, notebook_task: { ...task.notebook_task, notebook_path: value } }, value.split("/").pop() ?? "")} />
      <MapField label="Parameters" names="parameter" add="Add a parameter" path={`${path}/base_parameters`}
        value={task.notebook_task?.base_parameters} onChange={(value) => set("base_parameters", value)}
        hint={<>The notebook reads them by <code>dbutils.widgets.get("name")</code>; those of the job it gets as well. {references}</>} />
    </>;
    case "spark_python_task": return <>
      <PathField label="Python file" type="FILE" path={`${path}/python_file`} value={text("python_file")}
        onChange={(value) => set("python_file", value)} />
      <Lines label="Arguments" path={`${path}/parameters`} value={task.spark_python_task?.parameters} onChange={(value) => set("parameters", value)}
        hint={<>One a line, as sys.argv has them. {references}</>} />
    </>;
    case "sql_task": return <SQL {...props} path={path} />;
    case "shell_task": return <>
      <Text label="Script" rows={6} isMono path={`${path}/command`} value={text("command")} onChange={(value) => set("command", value)} />
      <MapField label="Environment" names="variable" add="Add a variable" path={`${path}/environment`} value={task.shell_task?.environment}
        onChange={(value) => set("environment", value)}
        hint={<>The script reads them as <code>"$NAME"</code>. {references}</>} />
    </>;
    case "python_wheel_task": return <>
      <div className="halves">
        <Text label="Package" path={`${path}/package_name`} value={text("package_name")} onChange={(value) => set("package_name", value)} />
        <Text label="Entry point" path={`${path}/entry_point`} value={text("entry_point")} onChange={(value) => set("entry_point", value)} />
      </div>
      <Lines label="Arguments" path={`${path}/parameters`} value={task.python_wheel_task?.parameters} onChange={(value) => set("parameters", value)}
        hint="One a line." />
      <MapField label="Named arguments" names="argument" path={`${path}/named_parameters`} value={task.python_wheel_task?.named_parameters}
        onChange={(value) => set("named_parameters", value)} hint="Given as --name=value." />
      <Wheel task={task} onChange={onChange} />
    </>;
    case "condition_task": return (
      <div className="thirds">
        <Text label="Left" isMono path={`${path}/left`} value={text("left")} onChange={(value) => set("left", value)} hint={references} />
        <Select label="Compares" path={`${path}/op`} value={text("op")} onChange={(value) => set("op", value)}
          options={Object.entries(signs).map(([value, sign]) => ({ value,
            text: `${sign} ${value === "EQUAL_TO" || value === "NOT_EQUAL" ? "as text" : "as numbers"}` }))} />
        <Text label="Right" isMono path={`${path}/right`} value={text("right")} onChange={(value) => set("right", value)} />
      </div>
    );
    case "run_job_task": return <OtherJob task={task} path={path} onChange={onChange} />;
    case "webhook_task": return <>
      <div className="wide-first">
        <Text label="Address" type="url" path={`${path}/url`} value={text("url")} placeholder="https://…" onChange={(value) => set("url", value)} />
        <Select label="Method" path={`${path}/method`} value={text("method") || "POST"}
          options={["POST", "GET", "PUT", "PATCH", "DELETE"].map((one) => ({ value: one, text: one }))}
          onChange={(value) => set("method", value === "POST" ? undefined : value)} />
      </div>
      <MapField label="Header fields" names="header field" path={`${path}/headers`} value={task.webhook_task?.headers}
        onChange={(value) => set("headers", value)} />
      <Text label="Body" rows={3} isMono path={`${path}/body`} value={text("body")} onChange={(value) => set("body", value || undefined)}
        hint={references} />
    </>;
    default: return <JSONField label={`${kind.text} as JSON`} path={path} value={part}
      wrong={(value) => wrongForm({ ...task, [kind.name]: value })}
        onChange={(value) => onChange({ ...task, [kind.name]: value }, `${task.task_key} json`)}
      hint={<>The members are those of <code>{kind.name}</code> at <a href="/docs/createJob" target="_blank"
        rel="noreferrer">POST /api/v1/jobs</a>. The scheduler checks it as you write.</>} />;
  }
}

function SQL({ task, path, onChange }: Props) {
  const part = task.sql_task ?? {};
  const isFile = part.file !== undefined;
  const set = (sql_task: TaskSpec["sql_task"], mark?: string) => onChange({ ...task, sql_task }, mark);
  const rest = { ...(part.parameters ? { parameters: part.parameters } : {}) };
  return <>
    <Select label="The SQL is" value={isFile ? "file" : "statement"}
      options={[{ value: "statement", text: "written here" }, { value: "file", text: "a file of the workspace" }]}
      onChange={(value) => set(value === "file" ? { file: "", ...rest } : { statement: "", ...rest })} />
    {isFile ? <PathField label="SQL file" type="FILE" path={`${path}/file`} value={part.file ?? ""} onChange={(file) => set({ file, ...rest }, "sql file")} />
      : <Text label="Statement" rows={6} isMono path={`${path}/statement`} value={part.statement ?? ""}
        onChange={(statement) => set({ statement, ...rest }, `${task.task_key} statement`)} />}
    <MapField label="Parameters" names="parameter" add="Add a parameter" path={`${path}/parameters`} value={part.parameters}
      hint={<>Values for <code>:name</code> in the statement. {references}</>}
        onChange={(parameters) => set(having(part, "parameters", parameters), `${task.task_key} parameters`)} />
  </>;
}

/** The package itself is a library of the task. */
function Wheel({ task, onChange }: { task: TaskSpec; onChange: Props["onChange"] }) {
  const wheel = task.libraries?.find((one) => "whl" in one && one.whl) as { whl: string } | undefined;
  const others = task.libraries?.filter((one) => one !== (wheel as unknown)) ?? [];
  return <Text label="Wheel file" isMono value={wheel?.whl ?? ""} placeholder="/data/mine-1.0-py3-none-any.whl"
    hint="Where the driver finds it. Empty when the package is on the cluster already. Other libraries: under JSON."
    onChange={(whl) => {
      const libraries = [...(whl ? [{ whl }] : []), ...others] as TaskSpec["libraries"];
      onChange(having(task, "libraries", libraries?.length ? libraries : undefined), `${task.task_key} wheel`);
    }} />;
}

function OtherJob({ task, path, onChange }: Omit<Props, "spec">) {
  const jobs = useQuery("jobs", (signal) => call("listJobs", { page_size: 100 }, signal));
  const part = task.run_job_task ?? { job_id: 0 };
  const options = [
    ...(part.job_id === 0 ? [{ value: "0", text: "Choose a job" }] : []),
    ...(jobs.data?.jobs ?? []).map((job) => ({ value: String(job.job_id), text: `${job.settings.name} (${job.job_id})` })),
  ];
  if (!options.some((one) => one.value === String(part.job_id))) options.push({ value: String(part.job_id), text: `Job ${part.job_id}` });
  return <>
    <Select label="Job" path={`${path}/job_id`} value={String(part.job_id)} options={options}
      onChange={(value) => onChange({ ...task, run_job_task: { ...part, job_id: Number(value) } })} />
    <MapField label="Parameters" names="parameter" add="Add a parameter" path={`${path}/job_parameters`} value={part.job_parameters}
      hint={<>Instead of the job's defaults. {references}</>}
      onChange={(value) => onChange({ ...task, run_job_task: having(part, "job_parameters", value) }, `${task.task_key} parameters`)} />
  </>;
}
