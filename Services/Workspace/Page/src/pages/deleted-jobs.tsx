// Deleted jobs: which, by whom, how long each still stays, and the way back.
import { useState } from "react";
import { call, pages } from "../api/client";
import type { DeletedJob } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { Link, navigate } from "../app/router";
import { focusContent } from "../ui/focus";
import { Left, plural } from "../ui/left";
import { Button, Card, Empty, Failure, Heading, Loading } from "../ui/parts";
import { Time } from "../ui/time";
import { toast, toastError } from "../ui/toast";

export function DeletedJobs(_: { id: string }) {
  const deleted = useQuery("jobs/deleted", async (signal) => {
    let days = 0;
    const jobs = await pages<DeletedJob>(async (token) => {
      const page = await call("listDeletedJobs", { page_size: 200, page_token: token }, signal);
      days = page.retention_days;
      return { items: page.jobs, token: page.next_page_token };
    });
    return { jobs, days };
  }, 15000);
  const [busy, setBusy] = useState<number>();
  const restore = (job: DeletedJob) => {
    setBusy(job.job_id);
    call("restoreJob", { job_id: job.job_id }).then(() => {
      toast(`The job ${job.name} is back.`, "good", { text: "Open", run: () => navigate(`/jobs/${job.job_id}`) });
      deleted.refresh();
      focusContent();
    }, toastError).finally(() => setBusy(undefined));
  };
  return (
    <div className="content">
      <Heading title="Deleted jobs" crumbs={[{ text: "Jobs", to: "/jobs" }]}>
        {deleted.data && <>A deleted job stays for {plural(deleted.data.days, "day")}, with its schedule, its permissions and its runs, and can be restored.</>}
      </Heading>
      {deleted.error && <Failure error={deleted.error} retry={deleted.refresh} />}
      <Card isFlush>
        {!deleted.data ? deleted.isLoading && <Loading lines={6} /> : deleted.data.jobs.length === 0 ? (
          <Empty icon="trash" title="There is no deleted job" action={<Link className="button" to="/jobs">Open the jobs</Link>}>
            Jobs that are deleted come here. Those that you may restore are shown.</Empty>
        ) : (
          <div className="table-box"><table className="table">
            <thead><tr><th scope="col">Name</th><th scope="col" className="wide-only">Deleted</th><th scope="col">Stays</th>
              <th scope="col"><span className="visually-hidden">Actions</span></th></tr></thead>
            <tbody>{deleted.data.jobs.map((job) => <Row key={job.job_id} job={job} isBusy={busy === job.job_id} onRestore={() => restore(job)} />)}</tbody>
          </table></div>
        )}
      </Card>
    </div>
  );
}

function Row({ job, isBusy, onRestore }: { job: DeletedJob; isBusy: boolean; onRestore: () => void }) {
  const active = job.active_runs ?? 0;
  return (
    <tr>
      <td className="name">{job.name}
        <div className="soft small">Job {job.job_id} of {job.creator_user_name}{active > 0 && `, ${plural(active, "run")} under way`}</div></td>
      <td className="wide-only"><Time value={job.deleted_time} />{job.deleted_by && <span className="soft small"> by {job.deleted_by}</span>}</td>
      <td className="nowrap"><Left until={job.forget_time} over="Until its runs are gone" /></td>
      <td className="number nowrap"><Button isSmall icon="undo" isBusy={isBusy} aria-label={`Restore ${job.name}`} onClick={onRestore}>
        <span className="wide-only">Restore</span></Button></td>
    </tr>
  );
}
