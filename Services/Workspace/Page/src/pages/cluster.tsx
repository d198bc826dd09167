// One cluster: how its start goes, what it is, what happened to it, and what it writes.
import { ReactNode, useEffect } from "react";
import { call } from "../api/client";
import type { ClusterInfo } from "../api/generated/contract";
import { Query, useQuery } from "../api/query";
import { followTopic } from "../api/topics";
import { Link, setQuery, useAddress } from "../app/router";
import { ShareButton } from "../people/share";
import { Card, ClusterBadge, Empty, Failure, Heading, Loading, Note, TabPanel, Tabs, words } from "../ui/parts";
import { Span, Time, duration } from "../ui/time";
import { Icon } from "../ui/icons";
import { Logs } from "./cluster-logs";
import { ClusterMenu } from "./cluster-menu";
import { ClusterMetrics } from "./cluster-metrics";
import { PowerButton, size } from "./clusters";
import { detailsOf, isAlive, isChanging, phaseName, withDurations } from "./cluster-parts";

type Tab = "overview" | "metrics" | "events" | "logs";
const tabs: Array<{ id: Tab; text: string }> = [
  { id: "overview", text: "Overview" }, { id: "metrics", text: "Metrics" }, { id: "events", text: "Events" }, { id: "logs", text: "Logs" },
];

export function ClusterPage({ id }: { id: string }) {
  const { query } = useAddress();
  const wanted = query.get("tab");
  const tab: Tab = tabs.find((one) => one.id === wanted)?.id ?? "overview";
  const cluster = useQuery(`cluster/${id}`, (signal) => call("getCluster", { cluster_id: id }, signal), "clusters");
  useWatch(id, cluster);
  // Of one that is deleted, or may not be seen any more, nothing is shown that was known before.
  if (!cluster.data || cluster.error?.status === 404 || cluster.error?.status === 403) {
    return <div className="content"><Heading title="Cluster" crumbs={[{ text: "Clusters", to: "/clusters" }]} />
      {cluster.error ? <Failure error={cluster.error} retry={cluster.refresh} /> : <Card isFlush><Loading lines={6} /></Card>}</div>;
  }
  const data = cluster.data;
  return (
    <div className="content">
      <Heading title={data.spec.cluster_name} crumbs={[{ text: "Clusters", to: "/clusters" }]} badge={<span role="status"><ClusterBadge state={data.state} /></span>}
        actions={<>
          {data.spark && <a className="button" href={`/api/v1/clusters/${data.cluster_id}/spark-ui/`} target="_blank" rel="noopener noreferrer">
            <Icon name="bolt" />Spark UI</a>}
          <ShareButton type="clusters" id={data.cluster_id} name={data.spec.cluster_name} />
          <PowerButton cluster={data} refresh={cluster.refresh} isLarge />
          <ClusterMenu cluster={data} onChanged={cluster.refresh} />
        </>}>
        <span className="mono">{data.cluster_id}</span>
      </Heading>
      {data.state === "ERROR" && <Note tone="bad">{data.state_message || data.termination_reason?.code}</Note>}
      <Tabs tabs={tabs} current={tab} onChange={(next) => setQuery("tab", next === "overview" ? null : next)} label="Parts of the cluster" />
      <TabPanel id={tab}>
        {tab === "overview" && <Overview cluster={data} />}
        {tab === "metrics" && <ClusterMetrics cluster={data} />}
        {tab === "events" && <Events cluster={data} />}
        {tab === "logs" && <Logs cluster={data} />}
      </TabPanel>
    </div>
  );
}

/** Follows the cluster while it lives. Of one that has ended, the list tells when it is started again. */
function useWatch(id: string, cluster: Query<ClusterInfo>): void {
  const alive = cluster.data ? isAlive(cluster.data.state) : false;
  const { set, renew } = cluster;
  useEffect(() => {
    if (!alive) return undefined;
    return followTopic(`clusters/${id}`, {
      onEvent: (message) => set(message.cluster as ClusterInfo),
      onEnd: () => { renew(); return true; },
      // What is wrong is shown where the cluster is read.
      onFailure: renew,
    });
  }, [id, alive, set, renew]);
}

function Overview({ cluster }: { cluster: ClusterInfo }) {
  const facts: Array<[string, ReactNode]> = [
    ["Size", size(cluster)], ["Backend", cluster.backend],
    ["Memory of the driver", cluster.spec.driver_memory_mb ? `${cluster.spec.driver_memory_mb} MiB` : "chosen by the backend"],
    ["Spark", cluster.spark ? cluster.spark.version : "–"],
    ["Kernels", String(cluster.contexts ?? 0)], ["Executors", String(cluster.executors ?? 0)],
    ["Started", <Time key="s" value={cluster.start_time} />],
    ["Alive for", <Span key="a" from={cluster.start_time} to={cluster.terminated_time} />],
    ["Last used", <Time key="l" value={cluster.last_activity_time} />],
    ["Ends unused", cluster.spec.autotermination_minutes === 0 ? "never" : cluster.autotermination_time && isAlive(cluster.state)
      ? <Time key="e" value={cluster.autotermination_time} /> : `after ${cluster.spec.autotermination_minutes ?? 60} min`],
    ["Made by", cluster.creator_user_name],
  ];
  if (cluster.owner) facts.push(["Made for", cluster.owner.startsWith("run/")
    ? <Link key="o" to={`/runs/${cluster.owner.slice(4)}`}>run {cluster.owner.slice(4)}</Link> : cluster.owner]);
  if (cluster.pinned) facts.push(["Kept", "until it is unpinned"]);
  if (cluster.termination_reason) facts.push(["Ended because", words(cluster.termination_reason.code)]);
  return (
    <>
      <Card title={isChanging(cluster.state) ? "It is starting" : "Its start"}><Phases cluster={cluster} /></Card>
      <Card title="What it is"><div className="fact-grid">
        {facts.map(([label, value]) => <div key={label}><span className="label">{label}</span><span>{value}</span></div>)}
      </div></Card>
      {Object.keys(cluster.spec.spark_conf ?? {}).length > 0 && (
        <Card title="Spark properties"><dl className="facts mono">{Object.entries(cluster.spec.spark_conf ?? {}).flatMap(([name, value]) => [
          <dt key={name}>{name}</dt>, <dd key={`${name}=`}>{value}</dd>])}</dl></Card>
      )}
    </>
  );
}

function Phases({ cluster }: { cluster: ClusterInfo }) {
  const phases = cluster.phases ?? [];
  const total = phases.reduce((sum, phase) => sum + phase.milliseconds, 0);
  const isGoing = cluster.state === "PENDING" || cluster.state === "RESTARTING";
  if (phases.length === 0 && !isGoing) return <p className="soft">Nothing is known of its start.</p>;
  return (
    <div className="stack">
      <ol className="phases">
        {phases.map((phase) => (
          <li key={phase.name}>
            <span>{phaseName(phase.name)}</span>
            <span className="phase-track"><span className="phase-bar" style={{ width: `${Math.max(1, (phase.milliseconds / Math.max(total, 1)) * 100)}%` }} /></span>
            <span className="number soft">{duration(phase.milliseconds)}</span>
          </li>
        ))}
      </ol>
      {isGoing ? (
        <p className="row" role="status"><span className="spinner" />{cluster.state_message || "Starting"} · <Span from={cluster.start_time} to={undefined} /></p>
      ) : cluster.ready_time !== undefined && <p className="soft">Ready after {duration(cluster.ready_time - cluster.start_time)}.</p>}
    </div>
  );
}

function Events({ cluster }: { cluster: ClusterInfo }) {
  const events = useQuery(`cluster-events/${cluster.cluster_id}/${cluster.state}`,
    (signal) => call("listClusterEvents", { cluster_id: cluster.cluster_id, page_size: 100 }, signal), isAlive(cluster.state) ? 10000 : undefined);
  return (
    <Card isFlush>
      {events.error && <div className="card-body"><Failure error={events.error} retry={events.refresh} /></div>}
      {!events.data ? events.isLoading && <Loading /> : events.data.events.length === 0 ? <Empty icon="history" title="Nothing has happened yet" /> : (
        <div className="table-box" tabIndex={0} role="region" aria-label="Events"><table className="table">
          <thead><tr><th scope="col">When</th><th scope="col">What</th><th scope="col">Message</th></tr></thead>
          <tbody>{events.data.events.map((event) => (
            <tr key={event.event_id}><td><Time value={event.timestamp} /></td><td className="nowrap">{words(event.type)}</td>
              <td>{withDurations(event.message ?? "")}<Details of={event.details ?? {}} /></td></tr>
          ))}</tbody>
        </table></div>
      )}
    </Card>
  );
}

function Details({ of }: { of: Record<string, string> }) {
  const { times, others } = detailsOf(of);
  return <>{times && <div className="soft small">{times}</div>}{others && <span className="soft small mono"> {others}</span>}</>;
}
