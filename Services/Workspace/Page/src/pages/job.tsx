// One job: its graph, its runs by task, and its settings.
import { call } from "../api/client";
import type { Job, Run } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { Link, fromHere, navigate, treeAddress } from "../app/router";
import { ShareButton } from "../people/share";
import { Icon } from "../ui/icons";
import { Menu } from "../ui/menu";
import { Card, Empty, Failure, Heading, Loading, words } from "../ui/parts";
import { Time } from "../ui/time";
import { ClusterLink, useClusterNames } from "./cluster-link";
import { RunTable } from "./home";
import { kindOf, summary } from "../jobs/kinds";
import { JobGraph, NextTime, RunNow, removeJob, runTone, schedule } from "./job-parts";

export function JobPage({ id }: { id: string }) {
  const jobID = Number(id);
  const job = useQuery(`job/${id}`, (signal) => call("getJob", { job_id: jobID }, signal), "jobs");
  const runs = useQuery(`job-runs/${id}`, (signal) => call("listRuns", { job_id: jobID, page_size: 25 }, signal), "runs");
  if (!job.data) {
    return <div className="content"><Heading title={`Job ${id}`} crumbs={[{ text: "Jobs", to: "/jobs" }]} />
      {job.error ? <Failure error={job.error} retry={job.refresh} /> : <Card isFlush><Loading lines={6} /></Card>}</div>;
  }
  const { settings } = job.data;
  const all = runs.data?.runs ?? [];
  const go = fromHere();
  const remove = () => { if (job.data) removeJob(job.data, (isBack) => {
    // Who has gone on to something else is not called back from it.
    if (!isBack) go("/jobs");
    else if (location.pathname === "/jobs") navigate(`/jobs/${id}`);
  }); };
  return (
    <div className="content">
      <Heading title={settings.name} crumbs={[{ text: "Jobs", to: "/jobs" }]} actions={<>
        <ShareButton type="jobs" id={id} name={settings.name} />
        <Link className="button" to={`/jobs/new?from=${id}`}><Icon name="copy" />Copy</Link>
        <Link className="button" to={`/jobs/${id}/edit`}><Icon name="edit" />Edit</Link><RunNow job={job.data} onStarted={runs.refresh} />
        <Menu label="More" items={[{ text: "Delete", icon: "trash", run: remove }]} /></>}>
        {settings.description}
        <div className="row wrap small">Job {job.data.job_id} · {schedule(job.data)}
          {job.data.next_fire_time !== undefined && <>· next <NextTime job={job.data} /></>}</div>
      </Heading>
      <Card title="Tasks"><JobGraph job={job.data} last={all[0]} /></Card>
      <Card title="Runs by task" isFlush>
        {!runs.data ? <Loading lines={3} /> : all.length === 0 ? (
          <Empty icon="runs" title="It has not run yet" action={<RunNow job={job.data} onStarted={runs.refresh} />} />
        ) : <TaskMatrix job={job.data} runs={[...all].reverse()} />}
      </Card>
      {all.length > 0 && <Card title="Runs" isFlush><RunTable runs={all} /></Card>}
      <Card title="Settings"><Settings job={job.data} /></Card>
    </div>
  );
}

/** A row for each task and a column for each run, the newest at the right. */
function TaskMatrix({ job, runs }: { job: Job; runs: Run[] }) {
  const today = job.settings.tasks.map((task) => task.task_key);
  // What was renamed or taken away keeps the row of its runs.
  const before = new Set([...runs].reverse().flatMap((run) => run.tasks.map((task) => task.task_key)).filter((key) => !today.includes(key)));
  return (
    <div className="table-box" tabIndex={0} role="region" aria-label="Runs by task"><table className="matrix">
      <thead><tr><th scope="col"><span className="visually-hidden">Task</span></th>{runs.map((run) => (
        <th key={run.run_id} scope="col"><Link to={`/runs/${run.run_id}`} aria-label={`Run ${run.run_id}`}>{run.run_id}</Link></th>))}</tr></thead>
      <tbody>{[...today, ...before].map((key) => (
        <tr key={key}><th scope="row"><span className="mono">{key}</span>{before.has(key) && <span className="soft small"> not in the job now</span>}</th>{runs.map((run) => {
          const found = run.tasks.find((one) => one.task_key === key);
          const text = found ? words(found.state.result_state ?? found.state.life_cycle_state) : "Not in this run";
          return <td key={run.run_id}>{found && (
            <Link to={`/runs/${run.run_id}?task=${encodeURIComponent(key)}`} className={`dot large ${runTone(found)}`} title={text}>
              <span className="visually-hidden">Run {run.run_id}, {key}: {text}</span></Link>)}</td>;
        })}</tr>
      ))}</tbody>
    </table></div>
  );
}

function Settings({ job }: { job: Job }) {
  const { settings } = job;
  const names = useClusterNames(settings.tasks.flatMap((task) => task.existing_cluster_id ?? []));
  return (
    <div className="stack">
      <dl className="facts">
        <dt>Made by</dt><dd>{job.creator_user_name}, <Time value={job.created_time} /></dd>
        <dt>At once</dt><dd>{settings.max_concurrent_runs ?? 1} {settings.max_concurrent_runs && settings.max_concurrent_runs > 1 ? "runs" : "run"}</dd>
        {settings.parameters?.map((parameter) => [
          <dt key={parameter.name} className="mono">{parameter.name}</dt>, <dd key={`${parameter.name}=`} className="mono">{parameter.default}</dd>])}
      </dl>
      <div className="table-box" tabIndex={0} role="region" aria-label="Tasks"><table className="table">
        <thead><tr><th scope="col">Task</th><th scope="col">Does</th><th scope="col">Cluster</th><th scope="col">Retries</th></tr></thead>
        <tbody>{settings.tasks.map((task) => {
          const path = task.notebook_task?.notebook_path;
          return (
            <tr key={task.task_key}><td className="mono">{task.task_key}</td>
              <td>{path ? <Link to={treeAddress(path)}>{path}</Link> : <>{kindOf(task)?.text} <span className="soft">{summary(task)}</span></>}</td>
              <td>{!kindOf(task)?.hasCluster ? "–" : task.job_cluster_key ?? (task.existing_cluster_id
                ? <ClusterLink id={task.existing_cluster_id} names={names} /> : "of its own")}</td>
              <td>{task.max_retries ?? 0}</td></tr>
          );
        })}</tbody>
      </table></div>
      <details><summary>As JSON</summary><pre className="md-code" tabIndex={0}>{JSON.stringify(settings, null, 2)}</pre></details>
    </div>
  );
}
