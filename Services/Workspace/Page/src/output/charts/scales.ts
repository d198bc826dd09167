// Where a value is drawn, and what stands at an axis.
import { ticks } from "../../ui/ticks";
import type { Plot } from "./plot";

export interface Frame { width: number; height: number; left: number; right: number; top: number; bottom: number }

export interface Tick { at: number; text: string }

export interface Scales {
  x: (at: number) => number;
  y: (value: number) => number;
  /** How wide the place of a name is. */
  band: number;
  zero: number;
  along: Tick[];
  up: Tick[];
}

/** A number that has little room. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e15) return value.toExponential(1);
  if (size >= 1e9) return `${Number((value / 1e9).toFixed(1))}G`;
  if (size >= 1e6) return `${Number((value / 1e6).toFixed(1))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toFixed(1))}k`;
  return String(Number(value.toPrecision(4)));
}

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
const steps = [
  1, 10, 100, 1000, 5000, 15_000, minute, 5 * minute, 15 * minute, hour, 3 * hour, 6 * hour, 12 * hour, day, 2 * day, 7 * day, 14 * day,
];
const [month, year] = [30 * day, 365 * day];

/** Round times between two. Months and years begin with their first day. */
export function timeTicks(low: number, high: number, count: number): Tick[] {
  const raw = Math.max(1, (high - low) / count);
  // Little room is no reason to name one month alone.
  const step = steps.find((one) => one >= raw) ?? (high - low < 62 * day ? 14 * day : undefined);
  const shown = (time: number, from: number, to: number) => new Date(time).toISOString().slice(from, to).replace("T", " ");
  const all: Tick[] = [];
  if (step !== undefined) {
    const [from, to] = step >= day ? [0, 10] : step >= minute ? (high - low > day ? [5, 16] : [11, 16]) : step >= 1000 ? [11, 19] : [14, 23];
    for (let time = Math.ceil(low / step) * step; time <= high && all.length < 50; time += step) all.push({ at: time, text: shown(time, from, to) });
    return all;
  }
  const months = raw <= month ? 1 : raw <= 3 * month ? 3 : raw <= 6 * month ? 6 : 12 * Math.max(1, niceYears(raw / year));
  const first = new Date(low);
  for (let at = Math.ceil((first.getUTCFullYear() * 12 + first.getUTCMonth()) / months) * months; all.length < 50; at += months) {
    const time = new Date(0).setUTCFullYear(Math.floor(at / 12), at % 12, 1);
    if (time > high) break;
    if (time >= low) all.push({ at: time, text: shown(time, 0, months >= 12 ? 4 : 7) });
  }
  return all;
}

function niceYears(years: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, years)));
  return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= years) ?? 10 * power;
}

const letter = 6.4;

/** Names as far as there is room: some of them, and not all of each. */
function nameTicks(names: string[], band: number): Tick[] {
  const every = Math.max(1, Math.ceil(52 / Math.max(band, 0.01)));
  const room = Math.max(3, Math.floor((band * every) / letter) - 1);
  return names.flatMap((name, at) => at % every === 0 ? [{ at, text: name.length > room ? `${name.slice(0, room - 1)}…` : name }] : []);
}

/** Whether two numbers differ by no more than what adding up has made of them. */
const isSame = (low: number, high: number) => high - low <= 1e-12 * Math.max(Math.abs(low), Math.abs(high));

/** What is shown where there is but one number: enough beside it to be told apart from it, or the day around a time. */
function around(value: number, isTime: boolean): [number, number] {
  const beside = isTime ? 43_200_000 : Math.max(1, Math.abs(value) / 10);
  return [value - beside, value + beside];
}

/** @param fromZero whether values stand on a line of zero. @param stacked how high they are together. */
export function scalesOf(plot: Plot, frame: Frame, fromZero: boolean, stacked?: number): Scales {
  let [low, high, first, last] = [fromZero ? 0 : Infinity, fromZero ? stacked ?? 0 : -Infinity, Infinity, -Infinity];
  for (const { points } of plot.series) {
    for (const point of points) {
      if (stacked === undefined) [low, high] = [Math.min(low, point.value), Math.max(high, point.value)];
      [first, last] = [Math.min(first, point.at), Math.max(last, point.until ?? point.at)];
    }
  }
  if (!Number.isFinite(low)) [low, high] = [0, 1];
  if (isSame(low, high)) [low, high] = fromZero ? [Math.min(0, low), Math.max(1, high)] : around(low, false);
  if (!Number.isFinite(first)) [first, last] = [0, 1];
  if (isSame(first, last)) [first, last] = around(first, plot.axis === "time");
  const wide = frame.width - frame.left - frame.right;
  const tall = frame.height - frame.top - frame.bottom;
  const band = wide / Math.max(1, plot.names.length);
  const isNamed = plot.axis === "name";
  const count = Math.max(2, Math.floor(wide / 95));
  const y = (value: number) => frame.top + tall * (1 - (value - low) / (high - low));
  return {
    x: (at) => isNamed ? frame.left + (at + 0.5) * band : frame.left + ((at - first) / (last - first)) * wide,
    y, band, zero: y(Math.max(low, Math.min(high, 0))),
    along: isNamed ? nameTicks(plot.names, band) : plot.axis === "time" ? timeTicks(first, last, count)
      : ticks(first, last, count).map((at) => ({ at, text: short(at) })),
    up: ticks(low, high).map((at) => ({ at, text: short(at) })),
  };
}
