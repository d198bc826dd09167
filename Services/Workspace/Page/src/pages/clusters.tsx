// All clusters, and the form for another one.
import { useState } from "react";
import { call, pages } from "../api/client";
import type { ClusterInfo } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { Link, setQuery, useAddress } from "../app/router";
import { Button, Card, ClusterBadge, Empty, Failure, Heading, Loading } from "../ui/parts";
import { Filter, NoneAsked, isAsked, useFiltering } from "../ui/filter";
import { Span, Time } from "../ui/time";
import { toast, toastError } from "../ui/toast";
import { NewCluster } from "./cluster-form";
import { isAlive } from "./cluster-parts";

export function Clusters() {
  const { query } = useAddress();
  const clusters = useQuery("clusters/all", (signal) => pages<ClusterInfo>(async (token) => {
    const page = await call("listClusters", { page_size: 200, page_token: token }, signal);
    return { items: page.clusters, token: page.next_page_token };
  }), "clusters");
  const filtering = useFiltering();
  const asked = clusters.data?.filter((one) => isAsked(filtering, one.spec.cluster_name, [one.state])) ?? [];
  const isNew = query.has("new");
  return (
    <div className="content">
      <Heading title="Clusters" actions={<Button tone="primary" icon="plus" onClick={() => setQuery("new", "")}>New cluster</Button>}>
        Spark with a Python of its own for each notebook. What is not used ends by itself.
      </Heading>
      {clusters.error && <Failure error={clusters.error} retry={clusters.refresh} />}
      {clusters.data && (clusters.data.length > 1 || filtering.isOn) && <Filter what="clusters" states={[...new Set(clusters.data.map((one) => one.state))].sort()} />}
      <Card isFlush>
        {!clusters.data ? <Loading lines={6} /> : clusters.data.length === 0 ? (
          <Empty icon="cluster" title="There is no cluster yet"
            action={<Button tone="primary" icon="plus" onClick={() => setQuery("new", "")}>New cluster</Button>}>
            A notebook needs one to run on. It is ready in about ten seconds.
          </Empty>
        ) : asked.length === 0 ? <NoneAsked what="clusters" /> : <Table clusters={[...asked].sort(order)} refresh={clusters.refresh} />}
      </Card>
      {isNew && <NewCluster onClose={() => setQuery("new", null)} />}
    </div>
  );
}

function order(left: ClusterInfo, right: ClusterInfo): number {
  return Number(isAlive(right.state)) - Number(isAlive(left.state)) || right.start_time - left.start_time;
}

function Table({ clusters, refresh }: { clusters: ClusterInfo[]; refresh: () => void }) {
  return (
    <div className="table-box"><table className="table">
      <thead><tr><th scope="col">Name</th><th scope="col">State</th><th scope="col">Size</th><th scope="col">Backend</th>
        <th scope="col">Started</th><th scope="col" className="number">Alive for</th><th scope="col"><span className="visually-hidden">Actions</span></th></tr></thead>
      <tbody>{clusters.map((cluster) => (
        <tr key={cluster.cluster_id}>
          <td className="name"><Link to={`/clusters/${cluster.cluster_id}`}>{cluster.spec.cluster_name}</Link>
            {cluster.owner && <span className="soft small"> for {cluster.owner.startsWith("run/")
              ? <Link to={`/runs/${cluster.owner.slice(4)}`}>run {cluster.owner.slice(4)}</Link> : cluster.owner}</span>}</td>
          <td><ClusterBadge state={cluster.state} /></td>
          <td className="nowrap">{size(cluster)}</td>
          <td>{cluster.backend}</td>
          <td><Time value={cluster.start_time} /></td>
          <td className="number"><Span from={cluster.start_time} to={cluster.terminated_time} /></td>
          <td className="number"><PowerButton cluster={cluster} refresh={refresh} /></td>
        </tr>
      ))}</tbody>
    </table></div>
  );
}

export function size(cluster: ClusterInfo): string {
  const asked = cluster.spec.autoscale?.min_workers ?? cluster.spec.num_workers ?? 0;
  // While it starts there are none yet, and none any more when it has ended.
  const workers = cluster.state === "RUNNING" || cluster.state === "RESIZING" ? cluster.workers ?? asked : asked;
  const most = cluster.spec.autoscale?.max_workers;
  const upTo = most === undefined || most === workers ? "" : `, up to ${most}`;
  return asked === 0 ? "single machine" : `${workers === 1 ? "1 worker" : `${workers} workers`}${upTo}`;
}

/** Starts what has ended, ends what lives. */
export function PowerButton({ cluster, refresh, isLarge }: { cluster: ClusterInfo; refresh: () => void; isLarge?: boolean }) {
  const [isBusy, setBusy] = useState(false);
  const alive = isAlive(cluster.state);
  if (cluster.owner && !alive) return null;
  const act = () => {
    setBusy(true);
    const name = cluster.spec.cluster_name;
    const work = alive ? call("terminateCluster", { cluster_id: cluster.cluster_id, body: {} }) : call("startCluster", { cluster_id: cluster.cluster_id });
    work.then(() => {
      toast(alive ? `${name} is being ended.` : `${name} is starting.`, "good", alive && !cluster.owner
        ? { text: "Start again", run: () => { call("startCluster", { cluster_id: cluster.cluster_id }).then(refresh, toastError); } } : undefined);
      refresh();
    }, toastError).finally(() => setBusy(false));
  };
  const isDisabled = cluster.state === "TERMINATING";
  return (
    <Button isSmall={!isLarge} icon={alive ? "stop" : "play"} tone={alive ? "danger" : undefined} isBusy={isBusy} disabled={isDisabled} onClick={act}
      aria-label={`${alive ? "Terminate" : "Start"} ${cluster.spec.cluster_name}`}>{alive ? "Terminate" : "Start"}</Button>
  );
}
