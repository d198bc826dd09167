// The state of everything at a glance, and the ways to begin.
import { call, pages } from "../api/client";
import type { ClusterInfo, DashboardDay, DashboardStats, Job, Run, Target } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { Link, treeAddress } from "../app/router";
import { Icon, IconName } from "../ui/icons";
import { Badge, Card, ClusterBadge, Empty, Failure, Heading, Loading, RunBadge } from "../ui/parts";
import { Span, Time } from "../ui/time";
import { Trend } from "./trend";

export function Home() {
  const runs = useQuery("home/runs", (signal) => call("listRuns", { page_size: 8 }, signal), "runs");
  const active = useQuery("home/active", (signal) => pages(async (page_token) => {
    const page = await call("listRuns", { page_size: 100, active_only: true, page_token }, signal);
    return { items: page.runs, token: page.next_page_token };
  }), "runs");
  const clusters = useClusters();
  const jobs = useQuery("home/jobs", (signal) => pages(async (page_token) => {
    const page = await call("listJobs", { page_size: 100, page_token }, signal);
    return { items: page.jobs, token: page.next_page_token };
  }), ["jobs", "runs"]);
  const week = useQuery("home/week", (signal) => call("getDashboard", undefined, signal), 60000);
  const services = useServices(15000);
  const starting = services.data?.targets.filter((one) => one.health === "UNKNOWN").length ?? 0;
  const living = clusters.data?.filter((one) => one.state !== "TERMINATED" && one.state !== "ERROR") ?? [];
  const last = runs.data?.runs.find((run) => run.state.result_state);
  return (
    <div className="content">
      <Heading title="Home" actions={<>
        <Link className="button" to="/clusters?new"><Icon name="plus" />New cluster</Link>
        <Link className="button primary" to="/workspace"><Icon name="folder" />Open the workspace</Link>
      </>} />
      <div className="tiles">
        <Tile to="/clusters" icon="cluster" label="Clusters running" value={clusters.data && living.filter((one) => one.state === "RUNNING").length}
          note={living.length > 0 ? `${living.length} alive` : "none alive"} />
        <Tile to="/runs" icon="runs" label="Runs in progress" value={active.data?.length}
          note={last ? <>last: {last.state.result_state?.toLowerCase().replace("_", " ")}</> : "no run yet"} />
        <Tile to="/jobs" icon="jobs" label="Jobs" value={jobs.data?.length} note={nextFire(jobs.data)} />
        <Tile to="/monitoring" icon="monitor" label="Services up" value={services.data && services.data.targets.filter((one) => one.health === "UP").length}
          note={services.data ? `of ${services.data.targets.length} watched${starting > 0 ? `, ${starting} starting` : ""}` : ""} />
      </div>
      <Card title="Recent runs" actions={<Link to="/runs">All runs</Link>} isFlush>
        {runs.error && !runs.data ? <div className="card-body"><Failure error={runs.error} retry={runs.refresh} /></div>
          : !runs.data ? <Loading /> : <RunTable runs={runs.data.runs} />}
      </Card>
      <div className="grid">
        <div className="column">
          <Card title="Clusters" actions={<Link to="/clusters">All clusters</Link>} isFlush>
            {clusters.error && !clusters.data ? <div className="card-body"><Failure error={clusters.error} retry={clusters.refresh} /></div>
              : !clusters.data ? <Loading /> : <ClusterList clusters={living} />}
          </Card>
          {week.data && week.data.stats.runs > 0 && <Week stats={week.data.stats} days={week.data.trends.days} />}
        </div>
        <Card title="Services" actions={<Link to="/monitoring">Monitoring</Link>} isFlush>
          {services.error && !services.data ? <div className="card-body"><Failure error={services.error} retry={services.refresh} /></div>
            : !services.data ? <Loading /> : <ServiceList targets={services.data.targets} clusters={clusters.data} />}
        </Card>
      </div>
      <Card title="Begin here">
        <ul className="ways">
          <Way icon="notebook" to={treeAddress("/Shared/samples/02_report")} title="Look at a notebook">The sample reads a week of New York's flights.</Way>
          <Way icon="folder" to="/workspace" title="Bring a notebook of yours"><code>.ipynb</code>, <code>.py</code> and <code>.sql</code> open as they are.</Way>
          <Way icon="jobs" to="/jobs" title="Run it on a schedule">A job is a graph of notebooks, with retries.</Way>
        </ul>
      </Card>
    </div>
  );
}

/** All clusters that may be seen, those of a platform of many too: a page that is full of others' says nothing of the rest. */
export function useClusters() {
  return useQuery("home/clusters", (signal) => pages(async (page_token) => {
    const page = await call("listClusters", { page_size: 100, page_token }, signal);
    return { items: page.clusters, token: page.next_page_token };
  }), "clusters");
}

/** All services and how they are, read again soon while some of them start or are not ready. */
export function useServices(milliseconds: number) {
  return useQuery("home/services", (signal) => call("listTargets", undefined, signal),
    (data) => data?.targets.some((one) => one.health === "UNKNOWN" || one.ready === false) ? 2000 : milliseconds);
}

function Week({ stats, days }: { stats: DashboardStats; days: DashboardDay[] }) {
  const rate = stats.success_rate;
  return (
    <Card title={`Runs of the last ${stats.days} days`}
      actions={rate !== undefined && <span className="soft small">{Math.floor((100 * stats.succeeded_runs) / (stats.succeeded_runs + stats.failed_runs))} % succeeded</span>}>
      <Trend days={days} />
    </Card>
  );
}

function nextFire(jobs: Job[] | undefined) {
  const next = jobs?.map((job) => job.next_fire_time).filter((time): time is number => time !== undefined).sort((a, b) => a - b)[0];
  return next ? <>next: <Time value={next} /></> : "none scheduled";
}

function Tile({ to, icon, label, value, note }: {
  to: string; icon: IconName; label: string; value: number | undefined; note: React.ReactNode;
}) {
  return (
    <Link to={to} className="tile">
      <span className="tile-label"><Icon name={icon} size={16} />{label}</span>
      <span className="tile-value">{value ?? "–"}</span>
      <span className="tile-note">{note}</span>
    </Link>
  );
}

function Way({ icon, to, title, children }: { icon: IconName; to: string; title: string; children: React.ReactNode }) {
  return <li><Icon name={icon} size={22} /><div><Link to={to}>{title}</Link><div className="soft">{children}</div></div></li>;
}

function ClusterList({ clusters }: { clusters: ClusterInfo[] }) {
  if (clusters.length === 0) {
    return <Empty icon="cluster" title="No cluster is alive" action={<Link className="button" to="/clusters?new">Start one</Link>}>
      Jobs bring their own up when they run.</Empty>;
  }
  return (
    <ul className="list">{clusters.map((cluster) => (
      <li key={cluster.cluster_id}>
        <div className="grow"><Link className="name" to={`/clusters/${cluster.cluster_id}`}>{cluster.spec.cluster_name}</Link>
          <div className="soft small">{cluster.spec.num_workers ? `${cluster.spec.num_workers} workers` : "single machine"} · {cluster.backend}</div></div>
        <ClusterBadge state={cluster.state} />
      </li>
    ))}</ul>
  );
}

/** The drivers of clusters go by the names of their clusters. */
export function ServiceList({ targets, clusters }: { targets: Target[]; clusters: ClusterInfo[] | undefined }) {
  const cluster = (target: Target) => target.job === "driver" ? clusters?.find((one) => one.cluster_id === target.name) : undefined;
  return (
    <ul className="list">{targets.map((target) => (
      <li key={`${target.job}/${target.name}`}>
        <div className="grow"><span className="name">{target.job}</span> <span className="soft small">{cluster(target)
          ? <>of <Link to={`/clusters/${target.name}`}>{cluster(target)?.spec.cluster_name}</Link></> : target.name}</span>
          {target.message && <div className="soft small">{target.message}</div>}</div>
        <Badge tone={target.health === "UP" ? (target.ready === false ? "warn" : "good") : target.health === "DOWN" ? "bad" : "busy"}>
          {target.health === "UP" ? (target.ready === false ? "Not ready" : "Up") : target.health === "DOWN" ? "Down" : "Starting"}
        </Badge>
      </li>
    ))}</ul>
  );
}

export function RunTable({ runs }: { runs: Run[] }) {
  if (runs.length === 0) {
    return <Empty icon="runs" title="Nothing has run yet" action={<Link className="button" to="/jobs">See the jobs</Link>}>
      A run is one execution of a job or of notebooks that were submitted.</Empty>;
  }
  return (
    <div className="table-box"><table className="table">
      <thead><tr><th scope="col">Run</th><th scope="col">State</th><th scope="col" className="wide-only">Tasks</th><th scope="col">Started</th>
        <th scope="col" className="number">Took</th></tr></thead>
      <tbody>{runs.map((run) => (
        <tr key={run.run_id}>
          <td className="name"><Link to={`/runs/${run.run_id}`}>{run.run_name}</Link> <span className="soft small">#{run.run_id}</span></td>
          <td><RunBadge state={run.state} /></td>
          <td className="wide-only"><TaskDots run={run} /></td>
          <td><Time value={run.start_time ?? run.created_time} /></td>
          <td className="number"><Span from={run.start_time} to={run.end_time} /></td>
        </tr>
      ))}</tbody>
    </table></div>
  );
}

const dotTones: Record<string, string> = { SUCCESS: "good", FAILED: "bad", TIMEDOUT: "bad", CANCELED: "warn", UPSTREAM_FAILED: "warn" };

/** A square for each task; the words are its title. */
function TaskDots({ run }: { run: Run }) {
  const done = run.tasks.filter((task) => task.state.result_state === "SUCCESS").length;
  return (
    <span className="dots" role="img" aria-label={`${done} of ${run.tasks.length} tasks succeeded`}>
      {run.tasks.slice(0, 24).map((task) => (
        <span key={task.task_key} title={`${task.task_key}: ${(task.state.result_state ?? task.state.life_cycle_state).toLowerCase()}`}
          className={`dot ${task.state.result_state ? dotTones[task.state.result_state] ?? "idle" : task.state.life_cycle_state === "RUNNING" ? "busy" : ""}`} />
      ))}
    </span>
  );
}
