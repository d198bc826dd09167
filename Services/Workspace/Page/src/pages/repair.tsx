// Running again what failed of a run, as part of the same run, with other parameters where they were the reason.
import { useState } from "react";
import { call } from "../api/client";
import type { Run } from "../api/generated/contract";
import { Link } from "../app/router";
import { Check, Pairs } from "../jobs/fields";
import { Button, Dialog, RunBadge } from "../ui/parts";
import { toast, toastError } from "../ui/toast";
import { isActive } from "./run-parts";

export function canRepair(run: Run): boolean {
  return !isActive(run.state) && run.state.result_state !== undefined && run.state.result_state !== "SUCCESS" && run.tasks.length > 0;
}

/** What ran and did not succeed; what was not run because of it comes along by itself. */
function failedTasks(run: Run) {
  const own = run.tasks.filter((task) => ["FAILED", "TIMEDOUT", "CANCELED"].includes(task.state.result_state ?? ""));
  return own.length > 0 ? own : run.tasks.filter((task) => task.state.result_state !== "SUCCESS");
}

export function Repair({ run, onClose, onBegun }: { run: Run; onClose: () => void; onBegun: () => void }) {
  const failed = failedTasks(run);
  const before: Array<[string, string]> = Object.entries(run.parameters ?? {});
  const [rows, setRows] = useState(before);
  const [chosen, setChosen] = useState(() => new Set(failed.map((task) => task.task_key)));
  const [isAfter, setAfter] = useState(true);
  const [isBusy, setBusy] = useState(false);
  const repair = () => {
    setBusy(true);
    // From the second repair on, the newest one is named, so that no two people repair the same failure.
    const latest = run.history?.map((one) => one.id).filter((one) => one > 0).pop();
    const changed = rows.filter(([name, value]) => run.parameters?.[name] !== value);
    call("repairRun", { run_id: run.run_id, body: {
      ...(chosen.size === failed.length ? { rerun_all_failed_tasks: true } : { rerun_tasks: [...chosen] }),
      rerun_dependent_tasks: isAfter, latest_repair_id: latest,
      job_parameters: changed.length > 0 ? Object.fromEntries(changed) : undefined,
    } }).then(() => { toast(chosen.size === 1 ? `${[...chosen][0]} runs again.` : "What failed runs again."); onBegun(); onClose(); },
      (error: unknown) => { setBusy(false); toastError(error); });
  };
  return (
    <Dialog title={`Repair run ${run.run_id}`} onClose={onClose} foot={<><Button onClick={onClose}>Cancel</Button>
      <Button tone="primary" icon="refresh" isBusy={isBusy} disabled={chosen.size === 0} onClick={repair}>Run again</Button></>}>
      <div className="dialog-body">
        <fieldset className="pairs">
          <legend>Tasks to run again</legend>
          {failed.map((task) => (
            <div key={task.task_key} className="row">
              <label className="check grow"><input type="checkbox" checked={chosen.has(task.task_key)} onChange={(event) => {
                const next = new Set(chosen);
                if (event.target.checked) next.add(task.task_key);
                else next.delete(task.task_key);
                setChosen(next);
              }} /><span className="mono">{task.task_key}</span></label><RunBadge state={task.state} /></div>
          ))}
          <div className="hint">What was not run because of them runs as well. What succeeded keeps its result.</div>
        </fieldset>
        <Check label="Also what comes after them and has succeeded" value={isAfter} onChange={setAfter} />
        {before.length > 0 ? <Pairs label="Parameters" rows={rows} onChange={setRows} isFixed hint="Changed for this run only; the job keeps its defaults." />
          : <p className="soft small">This run has no parameters. {run.job_id !== undefined && <Link to={`/jobs/${run.job_id}/edit`}>Give the job some</Link>}</p>}
        <p className="soft small">The tasks stay those that the run began with; notebooks are read anew, so that a corrected one is run as it is now.</p>
      </div>
    </Dialog>
  );
}
