// All jobs, what they wait for and how they went.
import { call } from "../api/client";
import type { Job, Run } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { Link } from "../app/router";
import { focusRow } from "../ui/focus";
import { Icon } from "../ui/icons";
import { Button, Card, Empty, Failure, Heading, Loading } from "../ui/parts";
import { Time } from "../ui/time";
import { RunNow, Matrix, removeJob, schedule } from "./job-parts";

export function Jobs() {
  const jobs = useQuery("jobs", (signal) => call("listJobs", { page_size: 100 }, signal), ["jobs", "runs"]);
  const runs = useQuery("jobs/runs", (signal) => call("listRuns", { page_size: 100 }, signal), "runs");
  return (
    <div className="content">
      <Heading title="Jobs" actions={<>
        <Link className="button" to="/jobs/deleted"><Icon name="trash" />Deleted jobs</Link>
        <Link className="button primary" to="/jobs/new"><Icon name="plus" />New job</Link></>}>A job runs notebooks in their order, on a schedule or when you say so, and tries again what fails.</Heading>
      {jobs.error && <Failure error={jobs.error} retry={jobs.refresh} />}
      <Card isFlush>
        {!jobs.data ? <Loading lines={6} /> : jobs.data.jobs.length === 0 ? (
          <Empty icon="jobs" title="There is no job yet" action={<Link className="button primary" to="/jobs/new"><Icon name="plus" />Build one</Link>}>
            Choose notebooks and what comes after what, here or in a file: <code>harbour jobs apply job.yaml</code>.
          </Empty>
        ) : (
          <Table jobs={jobs.data.jobs} runs={runs.data?.runs ?? []} isAll={!runs.data?.next_page_token}
            onStarted={() => { runs.refresh(); jobs.refresh(); }} onChanged={jobs.refresh} />
        )}
      </Card>
    </div>
  );
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
          <td>{job.next_fire_time ? <Time value={job.next_fire_time} /> : <span className="soft">–</span>}</td>
          <td><Matrix runs={runs.filter((run) => run.job_id === job.job_id).slice(0, 10).reverse()} none={isAll ? "none yet" : "none lately"} />
            {(job.active_runs ?? 0) > 0 && <div className="soft small nowrap">{job.active_runs} under way</div>}</td>
          <td className="number nowrap"><RunNow job={job} onStarted={onStarted} isSmall />{" "}
            <Button isSmall tone="quiet" icon="trash" aria-label={`Delete ${job.settings.name}`} onClick={() => remove(job)} /></td>
        </tr>
      ))}</tbody>
    </table></div>
  );
}
