// The form for a cluster, checked by the service while it is filled in: for another one, and for one that is there.
import { FormEvent, useEffect, useState } from "react";
import { ApiError, call } from "../api/client";
import type { BackendInfo, ClusterInfo, ClusterProblem, ClusterSpec } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { newID } from "../app/ids";
import { fromHere } from "../app/router";
import { Button, Dialog, Field, Note, words } from "../ui/parts";
import { toast, toastError } from "../ui/toast";
import {
  AllBounds, ClusterDraft, boundsOf, draftOf, emptyDraft, fieldNamed, isResize, isSingle, ownProblems, placeOf, specOf, unshownOf,
} from "./cluster-draft";
import { isSettled } from "./cluster-parts";

/** What a backend has room for, where that is known. */
function hintsOf(backend: BackendInfo | undefined, { memory: { least } }: AllBounds): { workers?: string; cores?: string; memory?: string } {
  const upTo = (most: number | undefined) => most === undefined ? undefined : `At most ${most.toLocaleString("en")}.`;
  const most = backend?.maximum_memory_mb;
  return {
    workers: upTo(backend?.maximum_workers), cores: upTo(backend?.maximum_cores),
    memory: most === undefined ? undefined : `From ${least.toLocaleString("en")} to ${most.toLocaleString("en")}.`,
  };
}

/** What the service says is wrong; what the form itself refuses is left out of what it is asked. */
function useProblems(draft: ClusterDraft, own: Partial<Record<keyof ClusterDraft, string>>, base?: ClusterSpec): ClusterProblem[] {
  const [problems, setProblems] = useState<ClusterProblem[]>([]);
  const text = JSON.stringify(specOf({ ...draft, ...Object.fromEntries(Object.keys(own).map((name) => [name, ""])) }, base));
  useEffect(() => {
    const controller = new AbortController();
    const timer = setTimeout(() => {
      call("validateCluster", { body: { spec: JSON.parse(text) as ClusterSpec } }, controller.signal).then(
        (answer) => setProblems(answer.problems), (error: unknown) => {
          // What is no number or out of its range is refused before it is looked at, with a sentence of its own.
          if (error instanceof ApiError && error.status === 400) setProblems([{ field: fieldNamed(error.message), message: error.message }]);
        });
    }, 250);
    return () => { clearTimeout(timer); controller.abort(); };
  }, [text]);
  return problems;
}

/** A draft, what is wrong with it, and its fields. */
function useForm(start: ClusterDraft, base?: ClusterSpec) {
  const [draft, setDraft] = useState(start);
  const backends = useQuery("backends", (signal) => call("listBackends", undefined, signal));
  const all = backends.data?.backends ?? [];
  const chosen = all.find((one) => one.name === draft.backend) ?? all[0];
  const bounds = boundsOf(chosen);
  const own = ownProblems(draft, bounds, start);
  const problems = useProblems(draft, own, base);
  const problemOf = (name: keyof ClusterDraft) => {
    const found = problems.find((problem) => placeOf(problem.field) === name);
    return own[name] ?? (found && (found.message.includes(found.field) ? found.message : `${found.field} ${found.message}`));
  };
  const fields = <Fields draft={draft} isNew={!base} backends={all} chosen={chosen} bounds={bounds} problemOf={problemOf}
    others={problems.filter((problem) => !placeOf(problem.field))}
    set={(name, value) => setDraft((before) => ({ ...before, [name]: value }))} />;
  return { draft, fields, chosen, isRight: problems.length === 0 && Object.keys(own).length === 0 };
}

interface FieldsProps {
  draft: ClusterDraft; isNew: boolean; backends: BackendInfo[]; chosen?: BackendInfo; bounds: AllBounds; others: ClusterProblem[];
  problemOf: (name: keyof ClusterDraft) => string | undefined; set: (name: keyof ClusterDraft, value: string) => void;
}

function Fields({ draft, isNew, backends, chosen, bounds, others, problemOf, set }: FieldsProps) {
  const more = (name: keyof ClusterDraft, id: string, described: string | undefined) => ({
    id, value: draft[name], "aria-describedby": described, "aria-invalid": problemOf(name) !== undefined,
    onChange: (event: { target: { value: string } }) => set(name, event.target.value),
  });
  const number = (name: keyof AllBounds, label: string, hint?: string, placeholder?: string) => (
    <Field label={label} problem={problemOf(name)} hint={hint}>
      {(id, described) => <input className="input" type="text" inputMode="numeric" autoComplete="off"
        placeholder={placeholder} {...more(name, id, described)} />}
    </Field>
  );
  const lines = (name: keyof ClusterDraft, label: string, hint: string, placeholder: string) => (
    <Field label={label} problem={problemOf(name)} hint={hint}>
      {(id, described) => <textarea className="input mono" rows={2} spellCheck={false} placeholder={placeholder} {...more(name, id, described)} />}
    </Field>
  );
  const single = isSingle(draft);
  const hints = hintsOf(chosen, bounds);
  const of = single ? "" : " of the driver";
  return (
    <>
      <Field label="Name" problem={problemOf("name")}>
        {(id, described) => <input className="input" type="text" placeholder="cluster" maxLength={100} autoComplete="off" autoFocus {...more("name", id, described)} />}
      </Field>
      <div className="fields">
        <Field label="Backend" problem={problemOf("backend")} hint={isNew ? chosen?.message : "It stays where it is."}>
          {(id, described) => (
            <select className="input" disabled={!isNew} {...more("backend", id, described)}>
              <option value="">Default{backends[0] ? ` (${backends[0].name})` : ""}</option>
              {backends.map((one) => (
                <option key={one.name} value={one.name} disabled={!one.available}>{one.name}{one.available ? "" : " (not available)"}</option>
              ))}
            </select>
          )}
        </Field>
        {number("workers", "Workers", [single && "0: Spark runs inside the driver.", hints.workers].filter(Boolean).join(" ") || undefined)}
        {!single && chosen?.capabilities?.includes("resize") && number("most", "Workers at most", "More come while there is work for them.", "as many")}
        {number("cores", `Cores${of}`, hints.cores, "chosen")}
        {number("memory", `Memory${of} in MiB`, hints.memory, "chosen")}
        {!single && number("workerCores", "Cores of each worker", hints.cores, "chosen")}
        {!single && number("workerMemory", "Memory of each worker in MiB", hints.memory, "chosen")}
        {number("minutes", "Ends after minutes without use", "0: never.")}
      </div>
      {lines("conf", "Spark properties", "One a line: name, then value.", "spark.sql.shuffle.partitions 8")}
      {lines("packages", "Python packages", "One a line, as pip writes them. They are installed at each start.", "simplejson==3.19.2")}
      {lines("environment", "Environment variables", "One a line, without quotes. {{secrets/scope/key}} stands for a secret.", "STAGE=test")}
      {others.map((problem) => <Note key={problem.field} tone="bad">{problem.field} {problem.message}</Note>)}
    </>
  );
}

export function NewCluster({ onClose, onMade }: { onClose: () => void; onMade?: (id: string) => void }) {
  const { draft, fields, isRight } = useForm(emptyDraft);
  const [isBusy, setBusy] = useState(false);
  const [clusterID] = useState(() => `c-${newID().slice(0, 12)}`);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    const go = fromHere();
    // The id is chosen here, so that asking twice makes one cluster.
    call("createCluster", { body: { spec: specOf(draft), cluster_id: clusterID } }).then((made) => {
      if (onMade) onMade(made.cluster_id);
      else go(`/clusters/${made.cluster_id}`);
    }, (error: unknown) => { setBusy(false); toastError(error); });
  };
  return (
    <Dialog title="New cluster" onClose={onClose} foot={<>
      <Button onClick={onClose}>Cancel</Button>
      <Button tone="primary" type="submit" form="new-cluster" isBusy={isBusy} disabled={!isRight}>Create and start</Button>
    </>}>
      <form id="new-cluster" className="dialog-body" onSubmit={submit} noValidate>{fields}</form>
    </Dialog>
  );
}

/** Another specification for a cluster: one that runs is restarted with it, or only resized where that is all. */
export function EditCluster({ cluster, mayManage, onClose, onChanged, onAgain }: {
  cluster: ClusterInfo; mayManage: boolean; onClose: () => void; onChanged: () => void; onAgain: () => void;
}) {
  const [base] = useState(cluster.spec);
  const [start] = useState(() => draftOf({ ...base, backend: cluster.backend }));
  const { draft, fields, chosen, isRight } = useForm(start, base);
  const [isBusy, setBusy] = useState(false);
  const isRunning = cluster.state === "RUNNING";
  const isOnlySize = isRunning && isResize(start, draft) && chosen?.capabilities?.includes("resize") === true;
  const isSame = JSON.stringify(draft) === JSON.stringify(start);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    const spec = specOf(draft, base);
    const { cluster_id } = cluster;
    const work = isOnlySize
      ? call("resizeCluster", { cluster_id, body: spec.autoscale ? { autoscale: spec.autoscale } : { num_workers: spec.num_workers } })
      : call("editCluster", { cluster_id, body: { spec } });
    work.then(() => {
      toast(isOnlySize ? `${spec.cluster_name} is being resized.` : isRunning ? `${spec.cluster_name} is restarted with what you changed.`
        : `${spec.cluster_name} starts like that next time.`);
      onChanged();
      onClose();
    }, (error: unknown) => { setBusy(false); toastError(error); });
  };
  const leave = () => { if (isSame || isBusy || confirm("Drop what is not saved?")) onClose(); };
  const isOthers = !isBusy && JSON.stringify(cluster.spec) !== JSON.stringify(base);
  const unshown = unshownOf(base);
  return (
    <Dialog title={`Edit ${base.cluster_name}`} onClose={leave} foot={<>
      <Button onClick={leave}>Cancel</Button>
      <Button tone="primary" type="submit" form="edit-cluster" isBusy={isBusy} disabled={!isRight || isSame || !mayManage || !isSettled(cluster.state)}>
        {isOnlySize ? "Resize" : isRunning ? "Save and restart" : "Save"}</Button>
    </>}>
      <form id="edit-cluster" className="dialog-body" onSubmit={submit} noValidate>
        {!isSettled(cluster.state) && <Note tone="warn">It is {words(cluster.state).toLowerCase()}. This can be saved when it runs or has been terminated.</Note>}
        {!mayManage && <Note tone="warn">You may look at this and not change it. Ask whoever manages it for CAN_MANAGE.</Note>}
        {isOthers && <Note tone="warn">Somebody else has changed it since you opened this. What you save replaces that.{" "}
          <Button isSmall onClick={onAgain}>Begin again from theirs</Button></Note>}
        {isRunning && <Note tone="warn">{isOnlySize ? "Only the number of workers changes: it goes on while they come or go."
          : "It runs, so it is restarted: cells that run are ended, and what they have in memory is gone."}</Note>}
        {fields}
        {unshown.length > 0 && <p className="soft small">It keeps what is not shown here: {unshown.join(", ")}.</p>}
      </form>
    </Dialog>
  );
}
