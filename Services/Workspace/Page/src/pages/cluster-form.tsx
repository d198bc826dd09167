// The form for a cluster, checked by the service while it is filled in.
import { FormEvent, useEffect, useState } from "react";
import { ApiError, call } from "../api/client";
import type { ClusterProblem, ClusterSpec } from "../api/generated/contract";
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

/** Which of our fields a problem of the service belongs to. */
const places: Record<string, keyof Draft> = {
  cluster_name: "name", backend: "backend", num_workers: "workers", driver_cores: "cores", worker_cores: "cores",
  driver_memory_mb: "memory", worker_memory_mb: "memory", autotermination_minutes: "minutes", spark_conf: "conf",
};

function useProblems(draft: Draft): ClusterProblem[] {
  const [problems, setProblems] = useState<ClusterProblem[]>([]);
  const text = JSON.stringify(specOf(draft));
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
  const told = useProblems(draft);
  const conf = problemOfConf(draft.conf);
  const problems = conf === undefined ? told : [...told, { field: "spark_conf", message: conf }];
  const [clusterID] = useState(() => `c-${crypto.randomUUID().slice(0, 13)}`);
  const problemOf = (name: keyof Draft) => {
    const found = problems.find((problem) => places[problem.field.split(".")[0] ?? ""] === name);
    return found && (found.message === conf || found.message.includes(found.field) ? found.message : `${found.field} ${found.message}`);
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
  const chosen = backends.data?.backends.find((one) => one.name === draft.backend) ?? backends.data?.backends[0];
  const [mostWorkers, mostCores, mostMemory] = [chosen?.maximum_workers, chosen?.maximum_cores, chosen?.maximum_memory_mb];
  const leastMemory = chosen?.minimum_memory_mb ?? 512;
  const upTo = (most: number | undefined) => most === undefined ? undefined : `At most ${most.toLocaleString("en")}.`;
  const input = (name: keyof Draft, type: string, more: Record<string, string | number | boolean> = {}) =>
    (id: string, described: string | undefined) => (
      <input id={id} className="input" type={type} value={draft[name]} onChange={set(name)} aria-describedby={described}
        aria-invalid={problemOf(name) !== undefined} {...more} />
    );
  return (
    <Dialog title="New cluster" onClose={onClose} foot={<>
      <Button onClick={onClose}>Cancel</Button>
      <Button tone="primary" type="submit" form="new-cluster" isBusy={isBusy} disabled={problems.length > 0}>Create and start</Button>
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
          <Field label="Workers" problem={problemOf("workers")} hint={[isSingle && "0: Spark runs inside the driver.", upTo(mostWorkers)].filter(Boolean).join(" ") || undefined}>
            {input("workers", "number", { min: 0, inputMode: "numeric", ...(mostWorkers === undefined ? {} : { max: mostWorkers }) })}</Field>
          <Field label={isSingle ? "Cores" : "Cores of each worker"} problem={problemOf("cores")} hint={upTo(mostCores)}>
            {input("cores", "number", { min: 1, placeholder: "chosen", ...(mostCores === undefined ? {} : { max: mostCores }) })}</Field>
          <Field label={isSingle ? "Memory in MiB" : "Memory of each worker in MiB"} problem={problemOf("memory")}
            hint={mostMemory === undefined ? undefined : `From ${leastMemory.toLocaleString("en")} to ${mostMemory.toLocaleString("en")}.`}>
            {input("memory", "number", { min: leastMemory, step: 256, placeholder: "chosen", ...(mostMemory === undefined ? {} : { max: mostMemory }) })}</Field>
          <Field label="Ends after minutes without use" problem={problemOf("minutes")} hint="0: never.">
            {input("minutes", "number", { min: 0, max: 10000 })}</Field>
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
