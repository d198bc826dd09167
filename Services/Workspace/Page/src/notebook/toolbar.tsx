// What a notebook runs on, and whether it is saved.
import { call } from "../api/client";
import { useQuery } from "../api/query";
import { isAlive } from "../pages/cluster-parts";
import { NewCluster } from "../pages/cluster-form";
import { Icon } from "../ui/icons";
import { Badge, Button, ClusterBadge, Dialog, Empty, Loading } from "../ui/parts";
import { Link } from "../app/router";
import { toastError } from "../ui/toast";
import { useEffect, useId, useRef, useState } from "react";
import type { Runner, RunnerState } from "./runner";
import type { SaveState } from "./saving";

const kernels: Record<RunnerState["kernel"], string> = {
  none: "no kernel yet", starting: "kernel starts", ready: "idle", busy: "busy", lost: "kernel lost",
};

export function Attach({ runner, state, isOpen, onOpen, onClose }: {
  runner: Runner; state: RunnerState; isOpen: boolean; onOpen: () => void; onClose: (isChosen: boolean) => void;
}) {
  const cluster = useQuery(state.cluster ? `cluster/${state.cluster}` : null, (signal) => call("getCluster", { cluster_id: state.cluster ?? "" }, signal), "clusters");
  const name = cluster.data?.spec.cluster_name ?? (state.cluster ? "…" : "Attach to a cluster");
  const isRunning = cluster.data?.state === "RUNNING";
  return (
    <>
      <button type="button" className="button attach" onClick={onOpen} aria-haspopup="dialog">
        <span className={`kernel-dot ${isRunning ? state.kernel : cluster.data && isAlive(cluster.data.state) ? "starting" : "none"}`} />
        <span className="truncate">{name}</span>
        {state.cluster && <span className="soft small">{isRunning ? kernels[state.kernel] : cluster.data?.state.toLowerCase()}</span>}
        <Icon name="chevronDown" size={13} />
      </button>
      {isOpen && <Choice runner={runner} current={state.cluster} onClose={onClose} />}
    </>
  );
}

/** Where only one can be meant, Enter takes it: its button has the keyboard once it runs, if that has not been moved. */
function useOnly(running: string[] | undefined): string {
  const id = useId();
  const atFirst = useRef<Element | null>();
  const isSettled = useRef(false);
  useEffect(() => {
    atFirst.current ??= document.activeElement;
    if (isSettled.current || running?.length !== 1) return;
    isSettled.current = true;
    if (document.activeElement === atFirst.current) document.getElementById(id)?.focus();
  });
  return id;
}

function Choice({ runner, current, onClose }: { runner: Runner; current?: string; onClose: (isChosen: boolean) => void }) {
  const clusters = useQuery("clusters", (signal) => call("listClusters", { page_size: 100 }, signal), "clusters");
  const [isNew, setNew] = useState(false);
  const running = clusters.data?.clusters.filter((one) => one.state === "RUNNING" && !one.owner && one.cluster_id !== current).map((one) => one.cluster_id);
  const only = useOnly(running);
  const attach = (id: string) => { runner.attach(id).then(() => onClose(true), toastError); };
  if (isNew) return <NewCluster onClose={() => setNew(false)} onMade={attach} />;
  const alive = clusters.data?.clusters.filter((one) => isAlive(one.state) && !one.owner) ?? [];
  const ended = clusters.data?.clusters.filter((one) => !isAlive(one.state) && !one.owner).slice(0, 5) ?? [];
  const start = (id: string) => { void call("startCluster", { cluster_id: id }).then(clusters.refresh); attach(id); };
  return (
    <Dialog title="Run on which cluster?" onClose={() => onClose(false)} foot={<Button icon="plus" tone="primary" onClick={() => setNew(true)}>New cluster</Button>}>
      {!clusters.data ? <Loading lines={3} /> : alive.length + ended.length === 0 ? (
        <Empty icon="cluster" title="There is no cluster yet">A new one is ready in about ten seconds.</Empty>
      ) : (
        <ul className="list">
          {alive.map((one) => (
            <li key={one.cluster_id}>
              <div className="grow"><span className="name">{one.spec.cluster_name}</span> <ClusterBadge state={one.state} />
                <div className="small"><Link to={`/clusters/${one.cluster_id}`}>Details</Link></div></div>
              <Button id={running?.length === 1 && one.cluster_id === running[0] ? only : undefined} tone={one.cluster_id === current ? "quiet" : undefined} disabled={one.cluster_id === current} onClick={() => attach(one.cluster_id)}
                aria-label={`Attach to ${one.spec.cluster_name}`}>{one.cluster_id === current ? "Attached" : "Attach"}</Button>
            </li>
          ))}
          {ended.map((one) => (
            <li key={one.cluster_id}>
              <div className="grow"><span className="name">{one.spec.cluster_name}</span> <ClusterBadge state={one.state} /></div>
              <Button icon="play" onClick={() => start(one.cluster_id)} aria-label={`Start ${one.spec.cluster_name} and attach`}>Start and attach</Button>
            </li>
          ))}
        </ul>
      )}
    </Dialog>
  );
}

export function SaveNote({ state, problem, onSave }: { state: SaveState; problem?: string; onSave: () => void }) {
  switch (state) {
    case "saved": return <Badge tone="idle">Saved</Badge>;
    case "saving": return <Badge tone="busy">Saving</Badge>;
    case "changed": return <><Badge tone="warn">Not saved yet</Badge><Button isSmall tone="quiet" onClick={onSave} title="Ctrl+S">Save</Button></>;
    case "waiting": return <Badge tone="warn">Saved as soon as the server is back</Badge>;
    case "gone": return <Badge tone="bad">Deleted</Badge>;
    case "conflict": return <Badge tone="bad">Somebody else has saved</Badge>;
    default: return <><Badge tone="bad" title={problem}>Could not be saved</Badge><Button isSmall onClick={onSave}>Try again</Button></>;
  }
}
