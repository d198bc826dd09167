// Services and their history as charts.
import { call } from "../api/client";
import type { ClusterInfo, Series } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { setQuery, useAddress } from "../app/router";
import { Card, Empty, Failure, Heading, Loading } from "../ui/parts";
import { bytes } from "../ui/time";
import { Lines, rates } from "./lines";
import { ServiceList, useClusters } from "./home";

const spans: Record<string, { text: string; milliseconds: number }> = {
  "15m": { text: "15 minutes", milliseconds: 900000 }, "1h": { text: "1 hour", milliseconds: 3600000 },
  "6h": { text: "6 hours", milliseconds: 6 * 3600000 }, "1d": { text: "1 day", milliseconds: 86400000 },
};

interface Shown { title: string; name: string; isRate?: boolean; show: (value: number) => string; group?: string }

const plain = (value: number) => value >= 100 ? Math.round(value).toLocaleString() : String(Number(value.toPrecision(3)));
const charts: Shown[] = [
  { title: "Memory", name: "process_resident_memory_bytes", show: bytes },
  { title: "Processor, of one core", name: "process_cpu_seconds_total", isRate: true, show: (value) => `${Number((value * 100).toPrecision(2))} %` },
  { title: "Requests a second", name: "harbour_http_requests_total", isRate: true, show: plain, group: "job" },
  { title: "Clusters", name: "harbour_clusters", show: plain, group: "state" },
  { title: "Spark's heap in use", name: "harbour_driver_spark_heap_used_bytes", show: bytes, group: "instance" },
  { title: "Commands a second", name: "harbour_driver_commands_total", isRate: true, show: plain, group: "job" },
];

export function Monitoring() {
  const { query } = useAddress();
  const wanted = query.get("span") ?? "1h";
  const span = spans[wanted] ?? { text: "1 hour", milliseconds: 3600000 };
  const services = useQuery("home/services", (signal) => call("listTargets", undefined, signal), 5000);
  const clusters = useClusters();
  const names = namesOf(clusters.data ?? []);
  return (
    <div className="content">
      <Heading title="Monitoring" actions={
        <label className="row small">Last
          <select className="input" value={wanted} onChange={(event) => setQuery("span", event.target.value)}>
            {Object.entries(spans).map(([key, one]) => <option key={key} value={key}>{one.text}</option>)}
          </select>
        </label>}>Measured by the services themselves; <code>/federate</code> offers all of it to Prometheus.</Heading>
      <Card title="Services" isFlush>
        {services.error && <div className="card-body"><Failure error={services.error} retry={services.refresh} /></div>}
        {services.data ? <ServiceList targets={services.data.targets} clusters={clusters.data} /> : services.isLoading && <Loading />}
      </Card>
      <div className="grid">{charts.map((chart) => <ChartCard key={chart.name} chart={chart} span={span.milliseconds} names={names} />)}</div>
    </div>
  );
}

/** Clusters by name, and of those that are called the same, as a job's are, by the end of the id too. */
function namesOf(clusters: ClusterInfo[]): Map<string, string> {
  const count = new Map<string, number>();
  for (const one of clusters) count.set(one.spec.cluster_name, (count.get(one.spec.cluster_name) ?? 0) + 1);
  return new Map(clusters.map(({ cluster_id: id, spec: { cluster_name: name } }) => [id, (count.get(name) ?? 0) > 1 ? `${name} ${id.slice(-4)}` : name]));
}

function ChartCard({ chart, span, names }: { chart: Shown; span: number; names: Map<string, string> }) {
  const history = useQuery(`history/${chart.name}/${span}`, (signal) => {
    const end = Date.now();
    return call("queryMetrics", { name: chart.name, start: end - span, end, step_milliseconds: Math.max(5000, Math.round(span / 360)) }, signal);
  }, 15000);
  return (
    <Card title={chart.title}>
      {history.error && !history.data && <Failure error={history.error} retry={history.refresh} />}
      {!history.data ? history.isLoading && <Loading lines={3} /> : history.data.series.length === 0
        ? <Empty icon="monitor" title="Nothing was measured in this time" /> : (
          <Lines title={chart.title} series={grouped(chart.isRate ? history.data.series.map(rates) : history.data.series, chart.group, names)} show={chart.show} span={span} isBytes={chart.show === bytes} />
        )}
    </Card>
  );
}

/** One line for each value of a label: what differs in other labels is added up. Clusters go by their names. */
function grouped(series: Series[], label: string | undefined, clusters: Map<string, string>): Series[] {
  const name = (one: Series) => (label && one.labels[label]) || one.labels.job || one.labels.instance || one.name;
  const groups = new Map<string, Map<number, number>>();
  for (const one of series) {
    const group = groups.get(name(one)) ?? new Map<number, number>();
    for (const sample of one.samples) {
      // Scrapes of one moment are some milliseconds apart.
      const time = Math.round(sample.timestamp / 5000) * 5000;
      group.set(time, (group.get(time) ?? 0) + sample.value);
    }
    groups.set(name(one), group);
  }
  const isSeen = (samples: Map<number, number>) => groups.size <= 4 || [...samples.values()].some((value) => value !== 0);
  const end = (samples: Map<number, number>) => [...samples.keys()].reduce((last, time) => Math.max(last, time), 0);
  const newest = Math.max(0, ...[...groups.values()].map(end));
  // What is there comes before what has ended: not all may find room.
  const hasEnded = (samples: Map<number, number>) => Number(end(samples) < newest - 90000);
  const order = ([a, one]: [string, Map<number, number>], [b, other]: [string, Map<number, number>]) =>
    hasEnded(one) - hasEnded(other) || a.localeCompare(b);
  return [...groups].filter(([, samples]) => isSeen(samples)).sort(order).map(([text, samples]) => ({
    name: clusters.get(text) ?? text, labels: { group: text }, samples: [...samples].sort(([a], [b]) => a - b).map(([timestamp, value]) => ({ timestamp, value })),
  }));
}
