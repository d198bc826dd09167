// What is drawn: series of points, out of the rows of a table. Everything has a limit, and what goes beyond is said.
import type { Json } from "../../api/generated/contract";
import type { TableData } from "../mime";
import { type Aggregate, type Axis, type Choice, axisOf } from "./choice";

export interface Point {
  /** Along: a number, a time in milliseconds, or which of the names. */
  at: number;
  /** Where a bar of a histogram ends. */
  until?: number;
  value: number;
}
export interface Series { name: string; points: Point[] }
export interface Plot { axis: Axis; names: string[]; series: Series[]; notes: string[] }

/** As many colours as can be told apart. */
export const mostSeries = 8;
export const mostBars = 200;
export const mostSlices = 12;
const mostLinePoints = 2000;
const mostDots = 10_000;

const nameOf = (value: Json | undefined): string =>
  value === null || value === undefined ? "null" : typeof value === "object" ? JSON.stringify(value) : String(value);

/** Times that do not say where they are, are those of UTC. */
function timeOf(value: Json | undefined): number {
  if (typeof value !== "string") return NaN;
  const text = value.trim().replace(" ", "T");
  return Date.parse(/T.*(Z|[+-]\d\d:?\d\d)$/.test(text) || !text.includes("T") ? text : `${text}Z`);
}

function numberOf(value: Json | undefined): number {
  return typeof value === "number" ? value : typeof value === "string" && value.trim() !== "" ? Number(value) : NaN;
}

/** The values of rows that come together. */
interface Sum { sum: number; count: number; low: number; high: number }

function valueOf({ sum, count, low, high }: Sum, aggregate: Aggregate): number {
  switch (aggregate) {
    case "sum": return sum;
    case "mean": return sum / count;
    case "count": return count;
    case "min": return low;
    default: return high;
  }
}

const many = (count: number, what: string) => `${count.toLocaleString()} ${what}`;

/** Takes the rows apart by the column of colours and by columns of values; the first ones, when there are too many. */
class Parts<Content> {
  private readonly made = new Map<string, Content>();
  private readonly left = new Set<string>();
  constructor(private readonly make: () => Content) {}

  of(name: string): Content | undefined {
    const known = this.made.get(name);
    if (known !== undefined) return known;
    if (this.made.size >= mostSeries) { if (this.left.size < 10_000) this.left.add(name); return undefined; }
    const content = this.make();
    this.made.set(name, content);
    return content;
  }

  get entries(): Array<[string, Content]> { return [...this.made]; }
  get notes(): string[] {
    return this.left.size === 0 ? [] : [`Only the first ${mostSeries} of ${many(mostSeries + this.left.size, "series")} are shown.`];
  }
}

function seriesName(table: TableData, choice: Choice, row: Json[], y: number): string {
  const isCount = choice.aggregate === "count" && choice.kind !== "scatter" && choice.kind !== "histogram";
  const value = isCount ? "rows" : table.columns[y]?.name ?? "";
  if (choice.group === undefined) return value;
  const group = nameOf(row[choice.group]);
  return choice.y.length > 1 && !isCount ? `${group}, ${value}` : group;
}

export function plotOf(table: TableData, rows: Json[][], choice: Choice): Plot {
  switch (choice.kind) {
    case "histogram": return histogram(table, rows, choice);
    case "scatter": return scatter(table, rows, choice);
    case "pie": return cutSlices(aggregated(table, rows, { ...choice, y: choice.y.slice(0, 1), group: undefined }, true));
    case "bar": return cutBars(aggregated(table, rows, choice, true));
    default: {
      const plot = aggregated(table, rows, choice, false);
      if (plot.axis === "name") return cutBars(plot);
      const share = Math.max(50, Math.floor(mostLinePoints / Math.max(1, plot.series.length)));
      return { ...plot, series: plot.series.map((one) => ({ ...one, points: thinned(one.points, share) })) };
    }
  }
}

/** A value for each series and place; numbers and times stand in their order, names in that of the rows. */
function aggregated(table: TableData, rows: Json[][], choice: Choice, byName: boolean): Plot {
  const kind = axisOf(table, choice.x);
  const read = kind === "number" ? numberOf : timeOf;
  const places = new Map<string | number, number>();
  const parts = new Parts<Map<number, Sum>>(() => new Map());
  const isCount = choice.aggregate === "count";
  for (const row of rows) {
    const along = kind === "name" ? nameOf(row[choice.x]) : read(row[choice.x]);
    if (typeof along === "number" && !Number.isFinite(along)) continue;
    for (const y of isCount ? choice.y.slice(0, 1) : choice.y) {
      const value = isCount ? 1 : numberOf(row[y]);
      if (!Number.isFinite(value)) continue;
      const part = parts.of(seriesName(table, choice, row, y));
      if (!part) continue;
      const place = places.get(along) ?? places.size;
      places.set(along, place);
      const sum = part.get(place);
      if (sum) { sum.sum += value; sum.count += 1; sum.low = Math.min(sum.low, value); sum.high = Math.max(sum.high, value); }
      else part.set(place, { sum: value, count: 1, low: value, high: value });
    }
  }
  const found = [...places.keys()];
  const sorted = kind === "name" ? found : [...found].sort((a, b) => Number(a) - Number(b));
  const isNamed = byName || kind === "name";
  const order = new Map(sorted.map((along, index) => [places.get(along) ?? 0, isNamed ? index : Number(along)]));
  const series = parts.entries.map(([name, part]) => ({
    name, points: [...part].map(([place, sum]) => ({ at: order.get(place) ?? 0, value: valueOf(sum, choice.aggregate) })).sort((a, b) => a.at - b.at),
  }));
  const names = !isNamed ? [] : sorted.map((along) => kind === "time" ? timeName(Number(along)) : String(along));
  return { axis: isNamed ? "name" : kind, names, series, notes: parts.notes };
}

/** A time as short as it is told by nothing less. */
export function timeName(time: number): string { return new Date(time).toISOString().replace(/T00:00:00\.000Z$|(:00)?\.000Z$|Z$/, "").replace("T", " "); }

function cutBars(plot: Plot): Plot {
  const most = Math.max(10, Math.floor(mostBars / Math.max(1, plot.series.length)));
  if (plot.names.length <= most) return plot;
  return {
    ...plot, names: plot.names.slice(0, most), series: plot.series.map((one) => ({ ...one, points: one.points.filter((point) => point.at < most) })),
    notes: [...plot.notes, `Only the first ${most} of ${many(plot.names.length, "places")} are shown.`],
  };
}

/** The largest first; small ones come together. */
function cutSlices(plot: Plot): Plot {
  const points = plot.series[0]?.points ?? [];
  const sorted = points.filter((point) => point.value > 0).sort((a, b) => b.value - a.value);
  const notes = sorted.length < points.length ? [...plot.notes, "What is not above zero has no slice."] : plot.notes;
  const isCut = sorted.length > mostSlices;
  const shown = isCut ? sorted.slice(0, mostSlices - 1) : sorted;
  const names = shown.map((point) => plot.names[point.at] ?? "");
  const rest = sorted.slice(shown.length);
  const all = shown.map((point, at) => ({ at, value: point.value }));
  if (isCut) { names.push(`${many(rest.length, "others")}`); all.push({ at: all.length, value: rest.reduce((sum, point) => sum + point.value, 0) }); }
  return { ...plot, names, notes, series: [{ name: plot.series[0]?.name ?? "", points: all }] };
}

/** Of each stretch the lowest and the highest, so that no peak is lost. */
function thinned(points: Point[], most: number): Point[] {
  if (points.length <= most) return points;
  const size = points.length / Math.floor(most / 2);
  const kept: Point[] = [];
  for (let start = 0; start < points.length; start += size) {
    const stretch = points.slice(Math.floor(start), Math.floor(start + size));
    if (stretch.length === 0) continue;
    const low = stretch.reduce((a, b) => b.value < a.value ? b : a);
    const high = stretch.reduce((a, b) => b.value > a.value ? b : a);
    kept.push(...(low === high ? [low] : low.at < high.at ? [low, high] : [high, low]));
  }
  return kept;
}

function scatter(table: TableData, rows: Json[][], choice: Choice): Plot {
  const axis = axisOf(table, choice.x);
  const places = new Map<string, number>();
  const parts = new Parts<Point[]>(() => []);
  const share = Math.max(1, Math.ceil((rows.length * choice.y.length) / mostDots));
  const notes = share > 1 ? [`Of ${share} rows one is shown.`] : [];
  for (let index = 0; index < rows.length; index += share) {
    const row = rows[index] ?? [];
    let at: number;
    if (axis === "name") {
      const name = nameOf(row[choice.x]);
      at = places.get(name) ?? places.size;
      if (at >= mostBars) continue;
      places.set(name, at);
    } else at = axis === "number" ? numberOf(row[choice.x]) : timeOf(row[choice.x]);
    for (const y of choice.y) {
      const value = numberOf(row[y]);
      if (Number.isFinite(at) && Number.isFinite(value)) parts.of(seriesName(table, choice, row, y))?.push({ at, value });
    }
  }
  if (places.size >= mostBars) notes.push(`Only the first ${mostBars} names are shown.`);
  return { axis, names: [...places.keys()], series: parts.entries.map(([name, points]) => ({ name, points })), notes: [...parts.notes, ...notes] };
}

/** How often values are in each of some equal stretches, each colour on top of the one before. */
function histogram(table: TableData, rows: Json[][], choice: Choice): Plot {
  const y = choice.y[0] ?? 0;
  const parts = new Parts<number[]>(() => []);
  let [low, high, count] = [Infinity, -Infinity, 0];
  for (const row of rows) {
    const value = numberOf(row[y]);
    const part = Number.isFinite(value) ? parts.of(seriesName(table, { ...choice, y: [y] }, row, y)) : undefined;
    if (!part) continue;
    part.push(value);
    [low, high, count] = [Math.min(low, value), Math.max(high, value), count + 1];
  }
  if (count === 0) return { axis: "number", names: [], series: [], notes: [] };
  const bins = low === high ? 1 : Math.max(5, Math.min(40, Math.ceil(Math.sqrt(count))));
  const size = (high - low) / bins || 1;
  const series = parts.entries.map(([name, values]) => {
    const counts = new Array<number>(bins).fill(0);
    for (const value of values) counts[Math.min(bins - 1, Math.floor((value - low) / size))] += 1;
    return { name, points: counts.map((value, index) => ({ at: low + index * size, until: low + (index + 1) * size, value })) };
  });
  return { axis: "number", names: [], series, notes: parts.notes };
}
