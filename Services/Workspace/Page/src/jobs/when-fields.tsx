// What makes a job run by itself.
import { call } from "../api/client";
import type { JobSchedule, JobSpec, PauseStatus, TriggerSettings } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { Check, JSONField, Select, Text, Whole } from "./fields";
import { commonTimes, cronInWords } from "./words";

type Way = "hand" | "schedule" | "periodic" | "job_completion" | "file_arrival" | "continuous";

function wayOf(spec: JobSpec): Way {
  if (spec.schedule) return "schedule";
  if (spec.continuous) return "continuous";
  if (spec.trigger?.job_completion) return "job_completion";
  if (spec.trigger?.file_arrival) return "file_arrival";
  return spec.trigger ? "periodic" : "hand";
}

const here = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const zones: string[] = (Intl as unknown as { supportedValuesOf?: (key: string) => string[] }).supportedValuesOf?.("timeZone") ?? [];

function withWay(spec: JobSpec, way: Way): JobSpec {
  const { schedule, trigger, continuous, ...rest } = spec;
  switch (way) {
    case "schedule": return { ...rest, schedule: schedule ?? { quartz_cron_expression: "0 0 6 * * ?", timezone_id: here } };
    case "periodic": return { ...rest, trigger: { periodic: trigger?.periodic ?? { interval: 1, unit: "HOURS" } } };
    case "job_completion": return { ...rest, trigger: { job_completion: trigger?.job_completion ?? { job_id: 0 } } };
    case "file_arrival": return { ...rest, trigger: { file_arrival: trigger?.file_arrival ?? { url: "/data/in" } } };
    case "continuous": return { ...rest, continuous: continuous ?? {} };
    default: return rest;
  }
}

interface Props { spec: JobSpec; fires?: number[]; onChange: (spec: JobSpec, mark?: string) => void }

export function WhenFields({ spec, fires, onChange }: Props) {
  const way = wayOf(spec);
  const status = spec.schedule?.pause_status ?? spec.trigger?.pause_status ?? spec.continuous?.pause_status;
  const pause = (isPaused: boolean) => {
    const pause_status: PauseStatus = isPaused ? "PAUSED" : "UNPAUSED";
    if (spec.schedule) onChange({ ...spec, schedule: { ...spec.schedule, pause_status } });
    else if (spec.trigger) onChange({ ...spec, trigger: { ...spec.trigger, pause_status } });
    else if (spec.continuous) onChange({ ...spec, continuous: { ...spec.continuous, pause_status } });
  };
  const trigger = (value: TriggerSettings, mark: string) => onChange({ ...spec, trigger: { ...spec.trigger, ...value } }, mark);
  return (
    <>
      <Select label="Runs" value={way} onChange={(next) => onChange(withWay(spec, next as Way))} options={[
        { value: "hand", text: "when somebody says so" }, { value: "schedule", text: "on a schedule" },
        { value: "periodic", text: "again and again, at an interval" }, { value: "job_completion", text: "after another job" },
        { value: "file_arrival", text: "when files arrive" }, { value: "continuous", text: "always: one run after the other" }]} />
      {spec.schedule && <Schedule schedule={spec.schedule} onChange={(schedule, mark) => onChange({ ...spec, schedule }, mark)} />}
      {way === "periodic" && <div className="halves">
        <Whole label="Every" path="/trigger/periodic/interval" min={1} value={spec.trigger?.periodic?.interval}
          onChange={(interval) => trigger({ periodic: { unit: "HOURS", ...spec.trigger?.periodic, interval: interval ?? 0 } }, "interval")} />
        <Select label="Unit" value={spec.trigger?.periodic?.unit ?? "HOURS"} path="/trigger/periodic/unit"
          options={["SECONDS", "MINUTES", "HOURS", "DAYS", "WEEKS"].map((value) => ({ value, text: value.toLowerCase() }))}
          onChange={(unit) => trigger({ periodic: { interval: 1, ...spec.trigger?.periodic, unit: unit as "HOURS" } }, "unit")} /></div>}
      {way === "job_completion" && <AfterJob spec={spec} onChange={onChange} />}
      {way === "file_arrival" && <>
        <Text label="Place" isMono path="/trigger/file_arrival/url" value={spec.trigger?.file_arrival?.url ?? ""}
          onChange={(url) => trigger({ file_arrival: { ...spec.trigger?.file_arrival, url } }, "place")}
          hint="A folder that the scheduler sees, or s3://bucket/prefix/" />
        <div className="halves">
          <Whole label="Seconds without change before" path="/trigger/file_arrival/wait_after_last_change_seconds"
            value={spec.trigger?.file_arrival?.wait_after_last_change_seconds} min={0} placeholder="0"
            onChange={(value) => trigger({ file_arrival: { url: "", ...spec.trigger?.file_arrival, wait_after_last_change_seconds: value } }, "wait")} />
          <Whole label="Seconds between runs" path="/trigger/file_arrival/min_time_between_triggers_seconds"
            value={spec.trigger?.file_arrival?.min_time_between_triggers_seconds} min={0} placeholder="0"
            onChange={(value) => trigger({ file_arrival: { url: "", ...spec.trigger?.file_arrival, min_time_between_triggers_seconds: value } }, "between")} /></div></>}
      {spec.trigger && <details><summary className="small">The trigger as JSON</summary>
        <JSONField label="Trigger as JSON" rows={5} path="/trigger" value={spec.trigger}
          onChange={(value: TriggerSettings) => onChange({ ...spec, trigger: value }, "trigger json")} /></details>}
      {way !== "hand" && <Check label="Paused" hint="It rests until this is taken away." value={status === "PAUSED"} onChange={pause} />}
      {fires && fires.length > 0 && <NextTimes fires={fires} zone={spec.schedule?.timezone_id} isPaused={status === "PAUSED"} />}
    </>
  );
}

function Schedule({ schedule, onChange }: { schedule: JobSchedule; onChange: (schedule: JobSchedule, mark?: string) => void }) {
  const cron = schedule.quartz_cron_expression;
  const words = cronInWords(cron);
  const common = commonTimes.find((one) => one.cron === cron)?.cron ?? "";
  return <>
    <Select label="Common times" value={common} onChange={(next) => { if (next) onChange({ ...schedule, quartz_cron_expression: next }); }}
      options={[{ value: "", text: "written below" }, ...commonTimes.map((one) => ({ value: one.cron, text: one.text }))]} />
    <div className="halves">
      <Text label="Cron expression" isMono path="/schedule/quartz_cron_expression" value={cron}
        onChange={(value) => onChange({ ...schedule, quartz_cron_expression: value }, "cron")}
        hint={words ?? "Quartz with 6 or 7 fields, or cron with 5."} />
      <Text label="Time zone" path="/schedule/timezone_id" value={schedule.timezone_id} list={zones}
        onChange={(value) => onChange({ ...schedule, timezone_id: value }, "zone")} />
    </div>
  </>;
}

function AfterJob({ spec, onChange }: Omit<Props, "fires">) {
  const jobs = useQuery("jobs", (signal) => call("listJobs", { page_size: 100 }, signal));
  const current = spec.trigger?.job_completion?.job_id ?? 0;
  const options = (jobs.data?.jobs ?? []).map((job) => ({ value: String(job.job_id), text: `${job.settings.name} (${job.job_id})` }));
  if (!options.some((one) => one.value === String(current))) options.unshift({ value: String(current), text: current === 0 ? "Choose a job" : `Job ${current}` });
  return <Select label="After a run of" path="/trigger/job_completion/job_id" value={String(current)} options={options}
    hint="When it has succeeded; other results under JSON."
    onChange={(value) => onChange({ ...spec, trigger: { ...spec.trigger, job_completion: { ...spec.trigger?.job_completion, job_id: Number(value) } } })} />;
}

function NextTimes({ fires, zone, isPaused }: { fires: number[]; zone?: string; isPaused: boolean }) {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short", timeZone: zone });
  } catch {
    // The server knows a zone that this browser does not.
    format = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
  }
  return (
    <div className="small"><span className="soft">{isPaused ? "It would run next" : "Runs next"}{zone ? `, in the time of ${zone}` : ""}</span>
      <ol className="fires">{fires.map((fire) => <li key={fire}><time
        dateTime={new Date(fire).toISOString()}>{format.format(fire)}</time></li>)}</ol></div>
  );
}

