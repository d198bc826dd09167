// What is of the whole job: when it runs, its parameters, who is told, and its limits.
import { ReactNode } from "react";
import type { EmailNotifications, JobSpec, WebhookNotifications } from "../api/generated/contract";
import { JobClusters } from "./cluster-fields";
import { useProblems } from "./check";
import { Check, Lines, MapField, Pairs, Text, Whole } from "./fields";
import { WhenFields } from "./when-fields";

type Change = (spec: JobSpec, mark?: string) => void;

/** The job with one member set, or without it. */
export function having<K extends keyof JobSpec>(spec: JobSpec, member: K, value: JobSpec[K] | undefined): JobSpec {
  const { [member]: _, ...rest } = spec;
  return (value === undefined ? rest : { ...spec, [member]: value }) as JobSpec;
}

function Part({ title, note, paths, children, isOpen }: { title: string; note?: ReactNode; paths: string[]; children: ReactNode; isOpen?: boolean }) {
  const problems = useProblems();
  const isBad = paths.some((path) => problems.at(path) !== undefined);
  return (
    <details className="job-part" open={isOpen || isBad || undefined}>
      <summary><span className="job-part-title">{title}</span>{isBad ? <span className="problem small">to correct</span> : note && <span
        className="soft small truncate">{note}</span>}</summary>
      <div className="stack">{children}</div>
    </details>
  );
}

export function JobPanel({ spec, fires, onChange }: { spec: JobSpec; fires?: number[]; onChange: Change }) {
  const parameters = spec.parameters ?? [];
  const problems = useProblems();
  const of = (path: string) => problems.all.filter((one) => one.path === path).map((one) => one.message);
  const direct = [...of("/schedule"), ...of("/trigger"), ...of("/continuous")];
  return (
    <div className="job-parts">
      <Part title="When it runs" paths={["/schedule", "/trigger", "/continuous"]} isOpen>
        <WhenFields spec={spec} fires={fires} onChange={onChange} />
        {direct.map((message) => <div key={message} className="problem small" role="alert">{message}</div>)}
      </Part>
      <Part title="Parameters" note={parameters.map((one) => one.name).join(", ")} paths={["/parameters"]} isOpen>
        <Pairs label="Names and defaults" names="job parameter" add="Add a job parameter" path="/parameters"
          rows={parameters.map((one) => [one.name, one.default])}
          onChange={(rows) => {
            const all = rows.map(([name, value]) => ({ name, default: value }));
            onChange(having(spec, "parameters", all.length > 0 ? all : undefined), "job parameters");
          }}
          hint="Every task gets them as widgets; a run, or its repair, may change them." />
      </Part>
      <Part title="Clusters" note={(spec.job_clusters ?? []).map((one) => one.job_cluster_key).join(", ")} paths={["/job_clusters"]}>
        <JobClusters spec={spec} onChange={onChange} />
      </Part>
      <Part title="Notifications" note={told(spec)} paths={["/email_notifications", "/webhook_notifications", "/health"]}><Notifications spec={spec}
        onChange={onChange} /></Part>
      <Part title="Limits and tags" note={`${spec.max_concurrent_runs ?? 1} at once`}
        paths={["/max_concurrent_runs", "/timeout_seconds", "/tags", "/description", "/queue"]}>
        <Text label="Description" rows={2} path="/description" value={spec.description ?? ""}
          onChange={(value) => onChange(having(spec, "description", value || undefined), "description")} />
        <div className="halves">
          <Whole label="Runs at once, at most" path="/max_concurrent_runs" min={1} max={1000} placeholder="1" value={spec.max_concurrent_runs}
            onChange={(value) => onChange(having(spec, "max_concurrent_runs", value), "at once")} />
          <Whole label="Ends after seconds" path="/timeout_seconds" min={0} placeholder="no limit" value={spec.timeout_seconds}
            onChange={(value) => onChange(having(spec, "timeout_seconds", value), "limit")} />
        </div>
        <Check label="Runs that find no place wait" hint="Without this, they are skipped." value={spec.queue?.enabled ?? true}
          onChange={(enabled) => onChange(having(spec, "queue", enabled ? undefined : { enabled }))} />
        <MapField label="Tags" names="tag" add="Add a tag" path="/tags" value={spec.tags}
          onChange={(value) => onChange(having(spec, "tags", value), "tags")} />
      </Part>
    </div>
  );
}

const ends = [["on_failure", "When a run has failed"],
  ["on_success", "When a run has succeeded"], ["on_duration_warning_threshold_exceeded", "When a run takes too long"]] as const;

function told(spec: JobSpec): string {
  const count = ends.reduce((sum, [end]) => sum + (spec.email_notifications?.[end]?.length ?? 0) + (spec.webhook_notifications?.[end]?.length ?? 0), 0);
  return count === 0 ? "nobody" : `${count} ${count === 1 ? "address" : "addresses"}`;
}

/** The same lists, with what is empty left out. */
function filled<T extends EmailNotifications | WebhookNotifications>(value: T): T | undefined {
  const rest = Object.fromEntries(Object.entries(value).filter(([, list]) => Array.isArray(list) && list.length > 0));
  return Object.keys(rest).length > 0 ? rest as T : undefined;
}

/** Mail and web addresses in one list for each end: what has an @ is mail. */
function Notifications({ spec, onChange }: { spec: JobSpec; onChange: Change }) {
  const limit = spec.health?.rules?.find((rule) => rule.metric === "RUN_DURATION_SECONDS")?.value;
  return <>
    {ends.map(([end, label]) => {
      const mails = spec.email_notifications?.[end] ?? [];
      const urls = spec.webhook_notifications?.[end]?.map((one) => one.url) ?? [];
      return <Addresses key={end} label={label} value={[...mails, ...urls]}
        onChange={(all) => {
          const isURL = (text: string) => /^https?:/i.test(text);
          const mail = filled({ ...spec.email_notifications, [end]: all.filter((one) => !isURL(one)) });
          const web = filled({ ...spec.webhook_notifications, [end]: all.filter(isURL).map((url) => ({ url })) });
          onChange(having(having(spec, "email_notifications", mail), "webhook_notifications", web), end);
        }} />;
    })}
    <Whole label="Too long is more than seconds" path="/health" min={1} placeholder="no limit" value={limit}
      onChange={(value) => onChange(having(spec, "health", value === undefined ? undefined : {
        rules: [{ metric: "RUN_DURATION_SECONDS", op: "GREATER_THAN", value }] }), "health")} />
  </>;
}

function Addresses({ label, value, onChange }: { label: string; value: string[]; onChange: (value: string[]) => void }) {
  const problems = useProblems();
  const said = problems.all.find((one) => /^\/(email|webhook)_notifications/.test(one.path))?.message;
  return <Lines label={label} value={value} placeholder="ada@example.org" problem={value.length > 0 ? said : undefined}
    onChange={(all) => onChange(all ?? [])} hint="Mail and web addresses, one a line." />;
}
