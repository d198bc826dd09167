// A cluster's specification as a form has it: texts, and what is wrong with them.
import { limitsOfAutoScale, limitsOfClusterSpec as limits } from "../api/generated/contract";
import type { BackendInfo, ClusterSpec, Library } from "../api/generated/contract";

export interface ClusterDraft {
  name: string; backend: string;
  workers: string;
  /** Up to how many workers there may be when there is much to do. */
  most: string;
  cores: string; memory: string; workerCores: string; workerMemory: string;
  minutes: string;
  /** A line each. */
  conf: string; packages: string; environment: string;
}

export const emptyDraft: ClusterDraft = {
  name: "", backend: "", workers: "0", most: "", cores: "", memory: "", workerCores: "", workerMemory: "", minutes: "60",
  conf: "", packages: "", environment: "",
};

const linesOf = (text: string) => text.split("\n").map((line) => line.trim()).filter(Boolean);

export function numberOf(text: string): number | undefined { return text.trim() === "" ? undefined : Number(text); }

/** Whether Spark runs inside the driver. */
export function isSingle(draft: ClusterDraft): boolean { return (numberOf(draft.workers) ?? 0) === 0; }

/** A name and its value, which blanks or a sign of equality part: the first, for a value may have some of its own. */
function property(line: string): [string, string] {
  const [, name = line, value = ""] = /^([^\s=]+)(?:\s*=\s*|\s+)(.*)$/.exec(line) ?? [];
  return [name, value];
}

function variable(line: string): [string, string] {
  const at = line.indexOf("=");
  return at < 0 ? [line, ""] : [line.slice(0, at).trim(), line.slice(at + 1)];
}

/** What a form does not show of libraries, such as jars or an index of one's own. */
const isPlain = (library: Library) => library.pypi !== undefined && library.pypi.repo === undefined;

const mapOf = (lines: Array<[string, string]>) => lines.length > 0 ? Object.fromEntries(lines) : undefined;

function sizeOf(draft: ClusterDraft): Partial<ClusterSpec> {
  const [workers, most] = [numberOf(draft.workers) ?? 0, numberOf(draft.most)];
  return workers > 0 && most !== undefined
    ? { autoscale: { min_workers: workers, max_workers: most }, num_workers: undefined } : { num_workers: workers, autoscale: undefined };
}

/**
 * What a draft asks for. Of a cluster that is there, what the form does not show and what nobody has touched in it is as it
 * was in `base`: no value is to be another because a form has shown it.
 */
export function specOf(draft: ClusterDraft, base?: ClusterSpec): ClusterSpec {
  const before = base && draftOf(base);
  const isNew = (...names: Array<keyof ClusterDraft>) => before === undefined || names.some((name) => draft[name] !== before[name]);
  const spec: Partial<ClusterSpec> = { ...base, cluster_name: draft.name.trim() || "cluster" };
  // A cluster stays where it is, whatever that is called.
  if (!base) spec.backend = draft.backend || undefined;
  if (isNew("workers", "most")) Object.assign(spec, sizeOf(draft));
  if (isNew("minutes")) spec.autotermination_minutes = numberOf(draft.minutes) ?? 60;
  if (isNew("cores", "memory")) {
    Object.assign(spec, { driver_cores: numberOf(draft.cores), driver_memory_mb: numberOf(draft.memory), driver_node_type_id: undefined });
  }
  // Of workers there is nothing to say where there are none.
  if (!isSingle(draft) && isNew("workerCores", "workerMemory")) {
    Object.assign(spec, { worker_cores: numberOf(draft.workerCores), worker_memory_mb: numberOf(draft.workerMemory), node_type_id: undefined });
  }
  if (isNew("conf")) spec.spark_conf = mapOf(linesOf(draft.conf).map(property));
  if (isNew("environment")) spec.spark_env_vars = mapOf(linesOf(draft.environment).map(variable));
  if (isNew("packages")) {
    const libraries = [...linesOf(draft.packages).map((one) => ({ pypi: { package: one } })), ...(base?.libraries ?? []).filter((one) => !isPlain(one))];
    spec.libraries = libraries.length > 0 ? libraries : undefined;
  }
  return Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined)) as unknown as ClusterSpec;
}

/** What a specification has that the form does not show, in words. */
export function unshownOf(spec: ClusterSpec): string[] {
  const many = (count: number | undefined, one: string, more = `${one}s`) => count ? [`${count} ${count === 1 ? one : more}`] : [];
  const named = (name: string, value: string | undefined) => value === undefined ? [] : [`${name} ${value}`];
  return [
    ...named("node type", spec.node_type_id), ...named("node type of the driver", spec.driver_node_type_id), ...named("policy", spec.policy_id),
    ...named("pool", spec.instance_pool_id), ...many(spec.init_scripts?.length, "init script"),
    ...many(spec.libraries?.filter((one) => !isPlain(one)).length, "other library", "other libraries"),
    ...many(Object.keys(spec.custom_tags ?? {}).length, "tag"),
  ];
}

/** A specification as a form shows it. */
export function draftOf(spec: ClusterSpec): ClusterDraft {
  const text = (value: number | undefined) => value === undefined ? "" : String(value);
  const lines = (map: Record<string, string> | undefined, sign: string) =>
    Object.entries(map ?? {}).map(([name, value]) => `${name}${sign}${value}`).join("\n");
  return {
    name: spec.cluster_name, backend: spec.backend ?? "", workers: text(spec.autoscale?.min_workers ?? spec.num_workers ?? 0),
    most: text(spec.autoscale?.max_workers), cores: text(spec.driver_cores), memory: text(spec.driver_memory_mb),
    workerCores: text(spec.worker_cores), workerMemory: text(spec.worker_memory_mb), minutes: text(spec.autotermination_minutes ?? 60),
    conf: lines(spec.spark_conf, " "), environment: lines(spec.spark_env_vars, "="),
    packages: (spec.libraries ?? []).filter(isPlain).map((one) => one.pypi?.package).join("\n"),
  };
}

/** Whether two drafts differ in nothing but the number of workers. */
export function isResize(before: ClusterDraft, after: ClusterDraft): boolean {
  const isSame = (name: keyof ClusterDraft) => before[name].trim() === after[name].trim();
  const others = (Object.keys(before) as Array<keyof ClusterDraft>).filter((name) => name !== "workers" && name !== "most");
  return others.every(isSame) && !(isSame("workers") && isSame("most")) && !isSingle(before) && !isSingle(after);
}

/** What is wrong with the lines of properties, which Spark itself would pass over in silence. */
function problemOfConf(text: string): string | undefined {
  for (const [name, value] of linesOf(text).map(property)) {
    if (!name.startsWith("spark.")) return `${name} is no property of Spark's: these begin with spark.`;
    if (!value) return `${name} has no value. Write it after the name.`;
  }
  return undefined;
}

function problemOfEnvironment(text: string): string | undefined {
  const line = linesOf(text).find((one) => !/^[A-Za-z_][A-Za-z0-9_]*\s*=/.test(one));
  return line === undefined ? undefined : `${line}: write NAME=value.`;
}

export interface Bounds { least: number; most: number; unit?: string }
const numbers = ["workers", "most", "cores", "memory", "workerCores", "workerMemory", "minutes"] as const;
export type AllBounds = Record<(typeof numbers)[number], Bounds>;

/** What each number may be: the contract's limits, and of the backend what it has room for. */
export function boundsOf(backend: BackendInfo | undefined): AllBounds {
  const of = ({ least, most }: Bounds, high: number | undefined, low = least) => ({ least: low, most: Math.min(most, high ?? most) });
  const memory = (bounds: Bounds) => ({ ...of(bounds, backend?.maximum_memory_mb, backend?.minimum_memory_mb), unit: "MiB" });
  return {
    workers: of(limits.num_workers, backend?.maximum_workers), most: of(limitsOfAutoScale.max_workers, backend?.maximum_workers),
    cores: of(limits.driver_cores, backend?.maximum_cores), workerCores: of(limits.worker_cores, backend?.maximum_cores),
    memory: memory(limits.driver_memory_mb), workerMemory: memory(limits.worker_memory_mb),
    minutes: { ...limits.autotermination_minutes, unit: "minutes" },
  };
}

/** What is wrong with a number, in the words of its field. */
function problemOfNumber(text: string, { least, most, unit }: Bounds): string | undefined {
  const value = numberOf(text);
  const said = (bound: number) => [bound.toLocaleString("en"), unit].filter(Boolean).join(" ");
  if (value === undefined) return undefined;
  if (!Number.isInteger(value)) return "Write a whole number.";
  return value < least ? `At least ${said(least)}.` : value > most ? `At most ${said(most)}.` : undefined;
}

/** What the form itself refuses, by its fields; lines that are as they were in `start` are somebody's who knew what they are. */
export function ownProblems(draft: ClusterDraft, bounds: AllBounds, start: ClusterDraft): Partial<Record<keyof ClusterDraft, string>> {
  const shown = isSingle(draft) ? numbers.filter((name) => !["most", "workerCores", "workerMemory"].includes(name)) : numbers;
  const all: Array<[string, string | undefined]> = shown.map((name) => [name, problemOfNumber(draft[name], bounds[name])]);
  const [workers, most] = [numberOf(draft.workers) ?? 0, numberOf(draft.most)];
  if (shown.includes("most") && most !== undefined && most < workers) all.push(["most", `At least ${workers}, which there are always.`]);
  if (draft.conf !== start.conf) all.push(["conf", problemOfConf(draft.conf)]);
  if (draft.environment !== start.environment) all.push(["environment", problemOfEnvironment(draft.environment)]);
  return Object.fromEntries(all.filter(([, problem]) => problem));
}

/** Which field of the form a problem of the service belongs to. */
const places: Record<string, keyof ClusterDraft> = {
  cluster_name: "name", backend: "backend", num_workers: "workers", autoscale: "most", driver_cores: "cores", worker_cores: "workerCores",
  driver_memory_mb: "memory", worker_memory_mb: "workerMemory", autotermination_minutes: "minutes", spark_conf: "conf",
  spark_env_vars: "environment", libraries: "packages",
};

/** The field of the form for one of a specification, such as `spark_conf.spark.ui.port` or `libraries[0]`. */
export function placeOf(field: string): keyof ClusterDraft | undefined { return places[field.split(/[.[]/)[0] ?? ""]; }

/** The field of a specification that a sentence names. */
export function fieldNamed(message: string): string { return Object.keys(places).find((name) => message.includes(name)) ?? ""; }
