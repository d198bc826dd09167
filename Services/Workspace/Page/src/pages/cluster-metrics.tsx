// What a cluster uses and does, as its driver measures it.
import type { ClusterInfo } from "../api/generated/contract";
import { setQuery, useAddress } from "../app/router";
import { bytes } from "../ui/time";
import { ChartCard, Shown, percent, plain, spans } from "./charts";

const charts: Shown[] = [
  { title: "Memory of the driver, its kernels and Spark", name: "harbour_driver_memory_bytes", show: bytes, group: "instance" },
  { title: "Processor, of one core", name: "harbour_driver_cpu_seconds_total", isRate: true, show: percent, group: "instance" },
  { title: "Spark's heap in use", name: "harbour_driver_spark_heap_used_bytes", show: bytes, group: "instance" },
  { title: "Executors", name: "harbour_driver_spark_executors", isCount: true, show: plain, group: "instance" },
  { title: "Spark tasks that run", name: "harbour_driver_spark_active_tasks", isCount: true, show: plain, group: "instance" },
  { title: "Spark tasks that wait for a core", name: "harbour_driver_spark_pending_tasks", isCount: true, show: plain, group: "instance" },
  { title: "Commands that run or wait", name: "harbour_driver_busy_commands", isCount: true, show: plain, group: "instance" },
  { title: "Commands a second", name: "harbour_driver_commands_total", isRate: true, show: plain, group: "state" },
];

export function ClusterMetrics({ cluster }: { cluster: ClusterInfo }) {
  const wanted = useAddress().query.get("span") ?? "15m";
  const span = spans[wanted] ?? { text: "15 minutes", milliseconds: 900000 };
  return (
    <>
      <div className="row"><label className="row small">Last
        <select className="input" value={wanted} onChange={(event) => setQuery("span", event.target.value)}>
          {Object.entries(spans).map(([key, one]) => <option key={key} value={key}>{one.text}</option>)}
        </select>
      </label></div>
      <div className="grid">{charts.map((chart) => (
        <ChartCard key={chart.name} chart={chart} span={span.milliseconds} match={`instance=${cluster.cluster_id}`}
          names={new Map([[cluster.cluster_id, cluster.spec.cluster_name]])} />
      ))}</div>
    </>
  );
}
