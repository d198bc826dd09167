// Services and their history as charts.
import type { ClusterInfo } from "../api/generated/contract";
import { setQuery, useAddress } from "../app/router";
import { Card, Failure, Heading, Loading } from "../ui/parts";
import { bytes } from "../ui/time";
import { ChartCard, Shown, percent, plain, spans } from "./charts";
import { ServiceList, useClusters, useServices } from "./home";

const charts: Shown[] = [
  { title: "Load of the machine", name: "harbour_machine_load_average", show: plain },
  { title: "Memory that is free on the machine", name: "harbour_machine_memory_available_bytes", show: bytes },
  { title: "Memory", name: "process_resident_memory_bytes", show: bytes },
  { title: "Processor, of one core", name: "process_cpu_seconds_total", isRate: true, show: percent },
  { title: "Requests a second", name: "harbour_http_requests_total", isRate: true, show: plain, group: "job" },
  { title: "Clusters", name: "harbour_clusters", isCount: true, show: plain, group: "state" },
  { title: "Spark's heap in use", name: "harbour_driver_spark_heap_used_bytes", show: bytes, group: "instance" },
  { title: "Commands a second", name: "harbour_driver_commands_total", isRate: true, show: plain, group: "job" },
];

export function Monitoring() {
  const { query } = useAddress();
  const wanted = query.get("span") ?? "1h";
  const span = spans[wanted] ?? { text: "1 hour", milliseconds: 3600000 };
  const services = useServices(5000);
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
