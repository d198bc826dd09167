// Where a task runs, and the clusters that the tasks of a job share.
import { call } from "../api/client";
import type { ClusterSpec, JobCluster, JobSpec, TaskSpec } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { isAlive } from "../pages/cluster-parts";
import { Button } from "../ui/parts";
import { JSONField, Select, Text, Whole } from "./fields";

function placeOf(task: TaskSpec): string {
  if (task.job_cluster_key !== undefined) return `job:${task.job_cluster_key}`;
  if (task.existing_cluster_id !== undefined) return `cluster:${task.existing_cluster_id}`;
  if (task.new_cluster?.instance_pool_id) return `pool:${task.new_cluster.instance_pool_id}`;
  return "own";
}

export function withPlace<T extends TaskSpec>(task: T, place: string): T {
  const { job_cluster_key: _j, existing_cluster_id: _e, new_cluster: old, ...rest } = task;
  const id = place.slice(place.indexOf(":") + 1);
  if (place.startsWith("job:")) return { ...rest, job_cluster_key: id } as T;
  if (place.startsWith("cluster:")) return { ...rest, existing_cluster_id: id } as T;
  if (place.startsWith("pool:")) return { ...rest, new_cluster: { cluster_name: task.task_key, instance_pool_id: id } } as T;
  return { ...rest, new_cluster: old && !old.instance_pool_id ? old : { cluster_name: task.task_key } } as T;
}

export function ClusterChoice({ spec, task, path, onChange }: {
  spec: JobSpec; task: TaskSpec; path: string; onChange: (task: TaskSpec, isNewCluster?: boolean) => void;
}) {
  const clusters = useQuery("clusters", (signal) => call("listClusters", { page_size: 100 }, signal), "clusters");
  const pools = useQuery("pools", (signal) => call("listPools", undefined, signal));
  const place = placeOf(task);
  const standing = clusters.data?.clusters.filter((one) => !one.owner) ?? [];
  const options = [
    ...(spec.job_clusters ?? []).map((one) => ({ value: `job:${one.job_cluster_key}`, text: one.job_cluster_key, group: "Of this job, shared by its tasks" })),
    { value: "new", text: "Another cluster for this job…", group: "Of this job, shared by its tasks" },
    { value: "own", text: "A cluster of its own", group: "For this task alone" },
    ...(pools.data?.instance_pools ?? []).map((one) => ({ value: `pool:${one.instance_pool_id}`,
      text: `Ready, from the pool ${one.instance_pool_name}`, group: "For this task alone" })),
    ...standing.map((one) => ({ value: `cluster:${one.cluster_id}`,
      text: `${one.spec.cluster_name}${isAlive(one.state) ? "" : " (ended; is started)"}`, group: "A cluster that is there" })),
  ];
  if (!options.some((one) => one.value === place)) options.push({ value: place, text: place.slice(place.indexOf(":") + 1), group: "A cluster that is there" });
  const member = place.startsWith("job:") ? "job_cluster_key" : place.startsWith("cluster:") ? "existing_cluster_id" : "new_cluster";
  return (
    <>
      <Select label="Cluster" path={`${path}/${member}`} value={place} options={options}
        hint={place.startsWith("job:") ? "Begins with the first task that wants it, and ends with the run." : undefined}
        onChange={(next) => { if (next === "new") onChange(task, true); else onChange(withPlace(task, next)); }} />
      {task.new_cluster && !task.new_cluster.instance_pool_id && (
        <ClusterParts value={task.new_cluster} path={`${path}/new_cluster`} onChange={(new_cluster) => onChange({ ...task, new_cluster })} />)}
    </>
  );
}

function ClusterParts({ value, path, onChange }: { value: ClusterSpec; path: string; onChange: (value: ClusterSpec) => void }) {
  const set = (member: keyof ClusterSpec, to: number | undefined) => {
    const { [member]: _, ...rest } = value;
    onChange({ ...rest, ...(to === undefined ? {} : { [member]: to }) } as ClusterSpec);
  };
  const isSingle = (value.num_workers ?? 0) === 0;
  const [cores, memory] = isSingle ? ["driver_cores", "driver_memory_mb"] as const : ["worker_cores", "worker_memory_mb"] as const;
  return (
    <>
      <div className="thirds">
        <Whole label="Workers" path={`${path}/num_workers`} value={value.num_workers} min={0} placeholder="0"
          onChange={(to) => set("num_workers", to)} />
        <Whole label={isSingle ? "Cores" : "Cores each"} path={`${path}/${cores}`} value={value[cores]} min={1} placeholder="chosen"
          onChange={(to) => set(cores, to)} />
        <Whole label={isSingle ? "Memory in MiB" : "MiB each"} path={`${path}/${memory}`} value={value[memory]} min={512} placeholder="chosen"
          onChange={(to) => set(memory, to)} />
      </div>
      <details><summary className="small">All of this cluster as JSON</summary>
        <JSONField label="Cluster as JSON" path={path} value={value} onChange={onChange}
          hint="Libraries, Spark properties, init scripts, policies: as in POST /api/v1/clusters." /></details>
    </>
  );
}

export function JobClusters({ spec, onChange }: { spec: JobSpec; onChange: (spec: JobSpec, mark?: string) => void }) {
  const all = spec.job_clusters ?? [];
  const users = (key: string) => spec.tasks.filter((task) => [task.job_cluster_key, task.for_each_task?.task.job_cluster_key].includes(key));
  const set = (index: number, cluster: JobCluster) => onChange({ ...spec, job_clusters: all.map((one, at) => at === index ? cluster : one) }, `cluster ${index}`);
  const rename = (index: number, key: string) => {
    const old = all[index]?.job_cluster_key;
    const taken = all.some((one, at) => at !== index && one.job_cluster_key === key);
    const follow = <T extends { job_cluster_key?: string }>(task: T): T => task.job_cluster_key === old ? { ...task, job_cluster_key: key } : task;
    const tasks = taken ? spec.tasks : spec.tasks.map((task) => {
      const next = follow(task);
      return next.for_each_task ? { ...next, for_each_task: { ...next.for_each_task, task: follow(next.for_each_task.task) } } : next;
    });
    const named = all.map((one, at) => at !== index ? one
      : { job_cluster_key: key, new_cluster: { ...one.new_cluster, cluster_name: key || "cluster" } });
    onChange({ ...spec, tasks, job_clusters: named }, `cluster name ${index}`);
  };
  return (
    <div className="stack">
      {all.map((one, index) => (
        <div key={index} className="stack part">
          <div className="row ends">
            <div className="grow"><Text label="Name of the cluster" path={`/job_clusters/${index}/job_cluster_key`} value={one.job_cluster_key}
              onChange={(key) => rename(index, key)} /></div>
            <Button tone="quiet" icon="trash" aria-label={`Remove the cluster ${one.job_cluster_key}`}
              disabled={users(one.job_cluster_key).length > 0}
              title={users(one.job_cluster_key).length > 0 ? "Tasks use it" : "Remove it"}
              onClick={() => onChange({ ...spec, job_clusters: all.filter((_, at) => at !== index) })} />
          </div>
          <ClusterParts value={one.new_cluster} path={`/job_clusters/${index}/new_cluster`}
            onChange={(new_cluster) => set(index, { ...one, new_cluster })} />
          <div className="soft small">{users(one.job_cluster_key).length === 0 ? "No task uses it: it is not started."
            : `For ${users(one.job_cluster_key).map((task) => task.task_key).join(", ")}.`}</div>
        </div>
      ))}
      <div><Button isSmall icon="plus" onClick={() => onChange(withCluster(spec).spec)}>Add a cluster</Button></div>
    </div>
  );
}

/** The job with one more cluster. */
export function withCluster(spec: JobSpec): { spec: JobSpec; key: string } {
  const taken = new Set((spec.job_clusters ?? []).map((one) => one.job_cluster_key));
  let key = "main";
  for (let number = 2; taken.has(key); number += 1) key = `cluster_${number}`;
  return { spec: { ...spec, job_clusters: [...spec.job_clusters ?? [], { job_cluster_key: key, new_cluster: { cluster_name: key, num_workers: 0 } }] }, key };
}
