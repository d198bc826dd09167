// All jobs, what they wait for and how they went.
import { call, pages } from "../api/client";
import type { Job, Run } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { Link } from "../app/router";
import { focusRow } from "../ui/focus";
import { Icon } from "../ui/icons";
import { Button, Card, Empty, Failure, Heading, Loading } from "../ui/parts";
import { Filter, NoneAsked, isAsked, useFiltering } from "../ui/filter";
import { Matrix, NextTime, RunNow, removeJob, schedule } from "./job-parts";

export function Jobs() {
  const jobs = useQuery("jobs/all", (signal) => pages<Job>(async (token) => {
    const page = await call("listJobs", { page_size: 200, page_token: token }, signal);
    return { items: page.jobs, token: page.next_page_token };
  }), ["jobs", "runs"]);
  const runs = useQuery("jobs/runs", (signal) => call("listRuns", { page_size: 100 }, signal), "runs");
  const filtering = useFiltering();
  const asked = jobs.data?.filter((job) => isAsked(filtering, job.settings.name, statesOf(job))) ?? [];
  return (
    <div className="content">
      <Heading title="Jobs" actions={<>
        <Link className="button" to="/jobs/deleted"><Icon name="trash" />Deleted jobs</Link>
        <Link className="button primary" to="/jobs/new"><Icon name="plus" />New job</Link></>}>A job runs notebooks in their order, on a schedule or when you say so, and tries again what fails.</Heading>
      {jobs.error && <Failure error={jobs.error} retry={jobs.refresh} />}
      {jobs.data && (jobs.data.length > 1 || filtering.isOn) && <Filter what="jobs" states={["UNDER_WAY", "SCHEDULED", "PAUSED", "BY_HAND"]} />}
      <Card isFlush>
        {!jobs.data ? <Loading lines={6} /> : jobs.data.length === 0 ? (
          <Empty icon="jobs" title="There is no job yet" action={<Link className="button primary" to="/jobs/new"><Icon name="plus" />Build one</Link>}>
            Choose notebooks and what comes after what, here or in a file: <code>harbour jobs apply job.yaml</code>.
          </Empty>
        ) : asked.length === 0 ? <NoneAsked what="jobs" /> : (
          <Table jobs={asked} runs={runs.data?.runs ?? []} isAll={!runs.data?.next_page_token}
            onStarted={() => { runs.refresh(); jobs.refresh(); }} onChanged={jobs.refresh} />
        )}
      </Card>
    </div>
  );
}

/** What a job does by itself, and whether it is at it. */
function statesOf({ settings, active_runs: active, next_fire_time: next }: Job): string[] {
  const triggers = [settings.schedule, settings.trigger, settings.continuous].filter((one) => one !== undefined);
  const isPaused = triggers.length > 0 && triggers.every((one) => one?.pause_status === "PAUSED");
  return [...(active ?? 0) > 0 ? ["UNDER_WAY"] : [], isPaused ? "PAUSED" : triggers.length > 0 || next !== undefined ? "SCHEDULED" : "BY_HAND"];
}

/** The runs are the newest of all jobs: a job whose own are older may have none among them. */
function Table({ jobs, runs, isAll, onStarted, onChanged }: {
  jobs: Job[]; runs: Run[]; isAll: boolean; onStarted: () => void; onChanged: () => void;
}) {
  const remove = (job: Job) => removeJob(job, (isBack) => { if (isBack) focusRow(`/jobs/${job.job_id}`); onChanged(); });
  return (
    <div className="table-box"><table className="table">
      <thead><tr><th scope="col">Name</th><th scope="col">Tasks</th><th scope="col">Schedule</th><th scope="col">Next</th><th scope="col">Last runs</th>
        <th scope="col"><span className="visually-hidden">Actions</span></th></tr></thead>
      <tbody>{jobs.map((job) => (
        <tr key={job.job_id}>
          <td className="name"><Link to={`/jobs/${job.job_id}`}>{job.settings.name}</Link></td>
          <td>{job.settings.tasks.length}</td>
          <td className="small">{schedule(job)}</td>
          <td><NextTime job={job} /></td>
          <td><Matrix runs={runs.filter((run) => run.job_id === job.job_id).slice(0, 10).reverse()} none={isAll ? "none yet" : "none lately"} />
            {(job.active_runs ?? 0) > 0 && <div className="soft small nowrap">{job.active_runs} under way</div>}</td>
          <td className="number nowrap"><RunNow job={job} onStarted={onStarted} isSmall />{" "}
            <Button isSmall tone="quiet" icon="trash" aria-label={`Delete ${job.settings.name}`} onClick={() => remove(job)} /></td>
        </tr>
      ))}</tbody>
    </table></div>
  );
}
