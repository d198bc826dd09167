// The form for a cluster, checked by the service while it is filled in.
import { FormEvent, useEffect, useState } from "react";
import { ApiError, call } from "../api/client";
import { limitsOfClusterSpec as limits } from "../api/generated/contract";
import type { BackendInfo, ClusterProblem, ClusterSpec } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { navigate } from "../app/router";
import { Button, Dialog, Field, Note } from "../ui/parts";
import { toastError } from "../ui/toast";

interface Draft { name: string; backend: string; workers: string; cores: string; memory: string; minutes: string; conf: string }

const empty: Draft = { name: "", backend: "", workers: "0", cores: "", memory: "", minutes: "60", conf: "" };

function number(text: string): number | undefined {
  return text.trim() === "" ? undefined : Number(text);
}

function specOf(draft: Draft): ClusterSpec {
  const conf = Object.fromEntries(draft.conf.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => {
    const [name, ...rest] = line.split(/[\s=]+/);
    return [name ?? "", rest.join(" ")];
  }));
  const workers = number(draft.workers) ?? 0;
  return {
    cluster_name: draft.name.trim() || "cluster",
    ...(draft.backend ? { backend: draft.backend } : {}),
    num_workers: workers,
    ...(number(draft.cores) !== undefined ? (workers > 0 ? { worker_cores: number(draft.cores) } : { driver_cores: number(draft.cores) }) : {}),
    ...(number(draft.memory) !== undefined ? (workers > 0 ? { worker_memory_mb: number(draft.memory) } : { driver_memory_mb: number(draft.memory) }) : {}),
    autotermination_minutes: number(draft.minutes) ?? 60,
    ...(Object.keys(conf).length > 0 ? { spark_conf: conf } : {}),
  };
}

/** What is wrong with the lines of properties, which Spark itself would pass over in silence. */
function problemOfConf(text: string): string | undefined {
  for (const line of text.split("\n").map((one) => one.trim()).filter(Boolean)) {
    const [name = "", value] = line.split(/[\s=]+/);
    if (!name.startsWith("spark.")) return `${name} is no property of Spark's: these begin with spark.`;
    if (!value) return `${name} has no value. Write it after the name.`;
  }
  return undefined;
}

interface Bounds { least: number; most: number; unit?: string }
type AllBounds = Record<"workers" | "cores" | "memory" | "minutes", Bounds>;

/** What each number may be: the contract's limits, and of the backend what it has room for. */
function boundsOf(backend: BackendInfo | undefined): AllBounds {
  const of = ({ least, most }: Bounds, high: number | undefined, low = least) => ({ least: low, most: Math.min(most, high ?? most) });
  return {
    workers: of(limits.num_workers, backend?.maximum_workers), cores: of(limits.driver_cores, backend?.maximum_cores),
    memory: { ...of(limits.driver_memory_mb, backend?.maximum_memory_mb, backend?.minimum_memory_mb), unit: "MiB" },
    minutes: { ...limits.autotermination_minutes, unit: "minutes" },
  };
}

/** What a backend has room for, where that is known. */
function hintsOf(backend: BackendInfo | undefined, { memory: { least } }: AllBounds): { workers?: string; cores?: string; memory?: string } {
  const upTo = (most: number | undefined) => most === undefined ? undefined : `At most ${most.toLocaleString("en")}.`;
  const most = backend?.maximum_memory_mb;
  return {
    workers: upTo(backend?.maximum_workers), cores: upTo(backend?.maximum_cores),
    memory: most === undefined ? undefined : `From ${least.toLocaleString("en")} to ${most.toLocaleString("en")}.`,
  };
}

/** What is wrong with a number, in the words of its field. */
function problemOfNumber(text: string, { least, most, unit }: Bounds): string | undefined {
  const value = number(text);
  const said = (bound: number) => [bound.toLocaleString("en"), unit].filter(Boolean).join(" ");
  if (value === undefined) return undefined;
  if (!Number.isInteger(value)) return "Write a whole number.";
  return value < least ? `At least ${said(least)}.` : value > most ? `At most ${said(most)}.` : undefined;
}

/** What the form itself refuses, by its fields. */
function ownProblems(draft: Draft, bounds: AllBounds): Partial<Record<keyof Draft, string>> {
  const numbers = Object.entries(bounds).map(([name, one]) => [name, problemOfNumber(draft[name as keyof Draft], one)]);
  return Object.fromEntries([...numbers, ["conf", problemOfConf(draft.conf)]].filter(([, problem]) => problem));
}

/** Which of our fields a problem of the service belongs to. */
const places: Record<string, keyof Draft> = {
  cluster_name: "name", backend: "backend", num_workers: "workers", driver_cores: "cores", worker_cores: "cores",
  driver_memory_mb: "memory", worker_memory_mb: "memory", autotermination_minutes: "minutes", spark_conf: "conf",
};

/** What the service says is wrong; what the form itself refuses is left out of what it is asked. */
function useProblems(draft: Draft, own: Partial<Record<keyof Draft, string>>): ClusterProblem[] {
  const [problems, setProblems] = useState<ClusterProblem[]>([]);
  const text = JSON.stringify(specOf({ ...draft, ...Object.fromEntries(Object.keys(own).map((name) => [name, ""])) }));
  useEffect(() => {
    const controller = new AbortController();
    const timer = setTimeout(() => {
      call("validateCluster", { body: { spec: JSON.parse(text) as ClusterSpec } }, controller.signal).then(
        (answer) => setProblems(answer.problems), (error: unknown) => {
          // What is no number or out of its range is refused before it is looked at, with a sentence of its own.
          if (error instanceof ApiError && error.status === 400) {
            const field = Object.keys(places).find((name) => error.message.includes(name)) ?? "";
            setProblems([{ field, message: error.message }]);
          }
        });
    }, 250);
    return () => { clearTimeout(timer); controller.abort(); };
  }, [text]);
  return problems;
}

export function NewCluster({ onClose, onMade }: { onClose: () => void; onMade?: (id: string) => void }) {
  const [draft, setDraft] = useState(empty);
  const [isBusy, setBusy] = useState(false);
  const backends = useQuery("backends", (signal) => call("listBackends", undefined, signal));
  const chosen = backends.data?.backends.find((one) => one.name === draft.backend) ?? backends.data?.backends[0];
  const bounds = boundsOf(chosen);
  const own = ownProblems(draft, bounds);
  const problems = useProblems(draft, own);
  const [clusterID] = useState(() => `c-${crypto.randomUUID().slice(0, 13)}`);
  const problemOf = (name: keyof Draft) => {
    const found = problems.find((problem) => places[problem.field.split(".")[0] ?? ""] === name);
    return own[name] ?? (found && (found.message.includes(found.field) ? found.message : `${found.field} ${found.message}`));
  };
  const others = problems.filter((problem) => !places[problem.field.split(".")[0] ?? ""]);
  const set = (name: keyof Draft) => (event: { target: { value: string } }) => setDraft({ ...draft, [name]: event.target.value });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    // The id is chosen here, so that asking twice makes one cluster.
    call("createCluster", { body: { spec: specOf(draft), cluster_id: clusterID } }).then((made) => {
      if (onMade) onMade(made.cluster_id);
      else navigate(`/clusters/${made.cluster_id}`);
    }, (error: unknown) => { setBusy(false); toastError(error); });
  };
  const isSingle = (number(draft.workers) ?? 0) === 0;
  const hints = hintsOf(chosen, bounds);
  const input = (name: keyof Draft, type: string, more: Record<string, string | number | boolean> = {}) =>
    (id: string, described: string | undefined) => (
      <input id={id} className="input" type={type} value={draft[name]} onChange={set(name)} aria-describedby={described}
        aria-invalid={problemOf(name) !== undefined} {...more} />
    );
  return (
    <Dialog title="New cluster" onClose={onClose} foot={<>
      <Button onClick={onClose}>Cancel</Button>
      <Button tone="primary" type="submit" form="new-cluster" isBusy={isBusy} disabled={problems.length > 0 || Object.keys(own).length > 0}>Create and start</Button>
    </>}>
      <form id="new-cluster" className="dialog-body" onSubmit={submit} noValidate>
        <Field label="Name" problem={problemOf("name")}>{input("name", "text", { placeholder: "cluster", maxLength: 100, autoComplete: "off", autoFocus: true })}</Field>
        <div className="grid">
          <Field label="Backend" problem={problemOf("backend")} hint={backends.data?.backends.find((one) => one.name === draft.backend)?.message}>
            {(id, described) => (
              <select id={id} className="input" value={draft.backend} onChange={set("backend")} aria-describedby={described}>
                <option value="">Default{backends.data?.backends[0] ? ` (${backends.data.backends[0].name})` : ""}</option>
                {backends.data?.backends.map((one) => (
                  <option key={one.name} value={one.name} disabled={!one.available}>{one.name}{one.available ? "" : " (not available)"}</option>
                ))}
              </select>
            )}
          </Field>
          <Field label="Workers" problem={problemOf("workers")} hint={[isSingle && "0: Spark runs inside the driver.", hints.workers].filter(Boolean).join(" ") || undefined}>
            {input("workers", "number", { min: 0, max: bounds.workers.most, inputMode: "numeric" })}</Field>
          <Field label={isSingle ? "Cores" : "Cores of each worker"} problem={problemOf("cores")} hint={hints.cores}>
            {input("cores", "number", { min: bounds.cores.least, max: bounds.cores.most, placeholder: "chosen" })}</Field>
          <Field label={isSingle ? "Memory in MiB" : "Memory of each worker in MiB"} problem={problemOf("memory")} hint={hints.memory}>
            {input("memory", "number", { min: bounds.memory.least, max: bounds.memory.most, step: 256, placeholder: "chosen" })}</Field>
          <Field label="Ends after minutes without use" problem={problemOf("minutes")} hint="0: never.">
            {input("minutes", "number", { min: bounds.minutes.least, max: bounds.minutes.most })}</Field>
        </div>
        <Field label="Spark properties" problem={problemOf("conf")} hint="One a line: name, then value.">
          {(id, described) => (
            <textarea id={id} className="input mono" rows={3} value={draft.conf} onChange={set("conf")} aria-describedby={described} spellCheck={false}
              aria-invalid={problemOf("conf") !== undefined}
              placeholder="spark.sql.shuffle.partitions 8" />
          )}
        </Field>
        {others.map((problem) => <Note key={problem.field} tone="bad">{problem.field} {problem.message}</Note>)}
      </form>
    </Dialog>
  );
}
