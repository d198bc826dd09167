// Charts of what was measured: one metric each, a line for each value of a label.
import { call } from "../api/client";
import type { Series } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { Card, Empty, Failure, Loading } from "../ui/parts";
import { bytes } from "../ui/time";
import { Lines, rates } from "./lines";

export const spans: Record<string, { text: string; milliseconds: number }> = {
  "15m": { text: "15 minutes", milliseconds: 900000 }, "1h": { text: "1 hour", milliseconds: 3600000 },
  "6h": { text: "6 hours", milliseconds: 6 * 3600000 }, "1d": { text: "1 day", milliseconds: 86400000 },
};

export interface Shown { title: string; name: string; isRate?: boolean; /** There are no parts of one. */ isCount?: boolean; show: (value: number) => string; group?: string }

export const plain = (value: number) => value >= 100 ? Math.round(value).toLocaleString() : String(Number(value.toPrecision(3)));
/** Of one core: two that are busy are 200 %. */
export const percent = (value: number) => `${Number((value * 100).toPrecision(2))} %`;

export function ChartCard({ chart, span, names, match }: { chart: Shown; span: number; names: Map<string, string>; match?: string }) {
  const history = useQuery(`history/${chart.name}/${match ?? ""}/${span}`, (signal) => {
    const end = Date.now();
    return call("queryMetrics", { name: chart.name, match, start: end - span, end, step_milliseconds: Math.max(5000, Math.round(span / 360)) }, signal);
  }, 15000);
  return (
    <Card title={chart.title}>
      {history.error && !history.data && <Failure error={history.error} retry={history.refresh} />}
      {!history.data ? history.isLoading && <Loading lines={3} /> : history.data.series.length === 0
        ? <Empty icon="monitor" title="Nothing was measured in this time" /> : (
          <Lines title={chart.title} series={grouped(chart.isRate ? history.data.series.map(rates) : history.data.series, chart.group, names)} show={chart.show} span={span} isBytes={chart.show === bytes} isCount={chart.isCount} />
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
