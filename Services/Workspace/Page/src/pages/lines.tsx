// Lines over time.
import { useState } from "react";
import type { Series } from "../api/generated/contract";
import { ticks, timeTicks } from "../ui/ticks";

const width = 560;
const height = 190;
const left = 58;
const bottom = 22;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
/** Half of the widest label of a time: nearer to the edge there is only its mark. */
const halfLabel = 26;

/** A time, and at midnight the day that begins. */
function timeLabel(time: number): string {
  const date = new Date(time);
  return date.getHours() === 0 && date.getMinutes() === 0 ? day.format(date) : clock.format(date);
}

/** Growth a second out of a counter; where it began anew it grew from nothing. */
export function rates(series: Series): Series {
  const samples = series.samples.flatMap((sample, index) => {
    const before = series.samples[index - 1];
    if (!before) return [];
    const seconds = (sample.timestamp - before.timestamp) / 1000;
    const grown = sample.value >= before.value ? sample.value - before.value : sample.value;
    return seconds > 0 ? [{ timestamp: sample.timestamp, value: grown / seconds }] : [];
  });
  return { ...series, samples };
}

/** The least that is shown: with less, what has just begun would look like what goes on for long. */
const shortest = 300000;

/** So many lines can be told apart. */
const most = 8;
const keyOf = (one: Series) => one.labels.group ?? one.name;

/** Ticks of bytes are whole KiB, MiB or GiB. */
function byteTicks(high: number): number[] {
  const unit = 1024 ** Math.max(0, Math.floor(Math.log(high) / Math.log(1024)));
  return ticks(0, high / unit, 4).map((tick) => tick * unit);
}

interface Drawn { title: string; series: Series[]; show: (value: number) => string; span: number; isBytes?: boolean | undefined; isCount?: boolean | undefined }

/** Where the values have their lines: of bytes at whole units, of what is counted at whole numbers. */
function valueTicks(high: number, { isBytes, isCount }: Pick<Drawn, "isBytes" | "isCount">): number[] {
  const found = isBytes ? byteTicks(high) : ticks(0, high, 4);
  return isCount ? found.filter(Number.isInteger) : found;
}

export function Lines({ title, series, show, span, isBytes, isCount }: Drawn) {
  const [at, setAt] = useState<number>();
  const times = series.flatMap((one) => one.samples.map((sample) => sample.timestamp));
  const end = times.reduce((a, b) => Math.max(a, b), 0) || Date.now();
  // What began a minute ago is not squeezed into the last pixels of an hour.
  const start = Math.max(end - span, Math.min(times.reduce((a, b) => Math.min(a, b), end), end - shortest));
  const high = series.flatMap((one) => one.samples).reduce((peak, sample) => Math.max(peak, sample.value), 0) * 1.08 || (isBytes ? 1024 : 1);
  const x = (time: number) => left + ((time - start) / (end - start)) * (width - left - 6);
  const y = (value: number) => 8 + (height - bottom - 8) * (1 - value / high);
  const near = (one: Series) => at === undefined ? one.samples[one.samples.length - 1]
    : one.samples.reduce<typeof one.samples[0] | undefined>((best, sample) => !best || Math.abs(sample.timestamp - at) < Math.abs(best.timestamp - at) ? sample : best, undefined);
  const shown = series.slice(0, most);
  const more = series.length - shown.length;
  return (
    <div className="lines">
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={`${title}: ${shown.map((one) => `${one.name} ${show(near(one)?.value ?? 0)}`).join(", ")}`}
        onMouseLeave={() => setAt(undefined)} onMouseMove={(event) => {
          const frame = event.currentTarget.getBoundingClientRect();
          const place = ((event.clientX - frame.left) / frame.width) * width;
          setAt(start + ((place - left) / (width - left - 6)) * (end - start));
        }}>
        {valueTicks(high, { isBytes, isCount }).map((tick) => (
          <g key={tick}><line x1={left} x2={width} y1={y(tick)} y2={y(tick)} className="chart-grid" />
            <text x={left - 7} y={y(tick) + 4} textAnchor="end">{show(tick)}</text></g>
        ))}
        {timeTicks(start, end).map((time) => (
          <g key={time}><line x1={x(time)} x2={x(time)} y1={height - bottom} y2={height - bottom + 4} className="chart-grid" />
            {x(time) <= width - halfLabel && <text x={x(time)} y={height - 5} textAnchor="middle" className="chart-time">{timeLabel(time)}</text>}</g>
        ))}
        {shown.map((one, index) => (
          <path key={keyOf(one)} className={`line line-${index}`} d={one.samples.filter((sample) => sample.timestamp >= start).map((sample, place, all) => {
            // Where nothing was measured for a while there is no line.
            const isNew = place === 0 || sample.timestamp - (all[place - 1]?.timestamp ?? 0) > Math.max(90000, span / 30);
            // A sample alone is a dot.
            return `${isNew ? "M" : "L"}${x(sample.timestamp).toFixed(1)} ${y(sample.value).toFixed(1)}${isNew ? "h0" : ""}`;
          }).join("")} />
        ))}
        {at !== undefined && at >= start && <line x1={x(at)} x2={x(at)} y1={8} y2={height - bottom} className="line-cursor" />}
      </svg>
      <ul className="legend">{shown.map((one, index) => (
        <li key={keyOf(one)}><span className={`legend-key line-${index}`} /><span className="truncate">{one.name}</span>
          <span className="soft">{show(near(one)?.value ?? 0)}</span></li>
      ))}{more > 0 && <li className="soft">and {more} more</li>}</ul>
    </div>
  );
}
