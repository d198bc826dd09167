// Bars, lines, dots and slices, and where in the picture each of them is told about.
import { ReactNode } from "react";
import type { Kind } from "./choice";
import { type Plot, timeName } from "./plot";
import type { Frame, Scales } from "./scales";

/** What is said of one mark where the pointer is near. */
export interface Spot { x: number; y: number; series: number; place: string; text: string; value: number }

export interface Marks { nodes: ReactNode; spots: Spot[] }

export function shown(value: number): string {
  return Math.abs(value) >= 1e15 ? value.toExponential(4) : Number(value.toPrecision(9)).toLocaleString(undefined, { maximumFractionDigits: 8 });
}

/** What is along at a place, in words. */
export function placeOf(plot: Plot, at: number, until?: number): string {
  if (plot.axis === "name") return plot.names[at] ?? "";
  if (plot.axis === "time") return timeName(at);
  return until === undefined ? shown(at) : `${shown(Number(at.toPrecision(4)))} to ${shown(Number(until.toPrecision(4)))}`;
}

export function marksOf(kind: Kind, plot: Plot, scales: Scales, frame: Frame): Marks {
  switch (kind) {
    case "pie": return slices(plot, frame);
    case "bar": return bars(plot, scales);
    case "histogram": return stacks(plot, scales);
    case "scatter": return dots(plot, scales);
    default: return lines(plot, scales, kind === "area");
  }
}

function spotsOf(plot: Plot, scales: Scales): Spot[] {
  return plot.series.flatMap((one, series) => one.points.map((point) => ({
    x: scales.x(point.at), y: scales.y(point.value), series, place: placeOf(plot, point.at), text: one.name, value: point.value,
  })));
}

function bars(plot: Plot, scales: Scales): Marks {
  const wide = (scales.band * 0.76) / Math.max(1, plot.series.length);
  const spots: Spot[] = [];
  const nodes = plot.series.map((one, series) => (
    <path key={series} className={`chart-fill line-${series}`} d={one.points.map((point) => {
      const x = scales.x(point.at) - scales.band * 0.38 + series * wide;
      const y = scales.y(point.value);
      spots.push({ x: x + wide / 2, y, series, place: placeOf(plot, point.at), text: one.name, value: point.value });
      const tall = Math.max(Math.abs(y - scales.zero), 0.8);
      return `M${x.toFixed(1)} ${Math.min(y, scales.zero).toFixed(1)}h${Math.max(wide - (wide > 4 ? 1 : 0), 0.6).toFixed(2)}v${tall.toFixed(1)}h${(-Math.max(wide - (wide > 4 ? 1 : 0), 0.6)).toFixed(2)}z`;
    }).join("")} />
  ));
  return { nodes, spots };
}

function stacks(plot: Plot, scales: Scales): Marks {
  const below = new Map<number, number>();
  const spots: Spot[] = [];
  const nodes = plot.series.map((one, series) => (
    <path key={series} className={`chart-fill line-${series}`} d={one.points.map((point) => {
      if (point.value === 0) return "";
      const base = below.get(point.at) ?? 0;
      below.set(point.at, base + point.value);
      const [left, right, top, bottom] = [scales.x(point.at), scales.x(point.until ?? point.at), scales.y(base + point.value), scales.y(base)];
      spots.push({ x: (left + right) / 2, y: top, series, place: placeOf(plot, point.at, point.until), text: one.name, value: point.value });
      return `M${(left + 0.5).toFixed(1)} ${top.toFixed(1)}H${Math.max(left + 1, right - 0.5).toFixed(1)}V${bottom.toFixed(1)}H${(left + 0.5).toFixed(1)}z`;
    }).join("")} />
  ));
  return { nodes, spots };
}

function dots(plot: Plot, scales: Scales): Marks {
  // A line of no length with round ends is a dot: one element for all of a colour.
  const nodes = plot.series.map((one, series) => (
    <path key={series} className={`chart-dots line-${series}`}
      d={one.points.map((point) => `M${scales.x(point.at).toFixed(1)} ${scales.y(point.value).toFixed(1)}h0`).join("")} />
  ));
  return { nodes, spots: spotsOf(plot, scales) };
}

function lines(plot: Plot, scales: Scales, isFilled: boolean): Marks {
  const nodes = plot.series.map((one, series) => {
    const way = one.points.map((point, index) => `${index === 0 ? "M" : "L"}${scales.x(point.at).toFixed(1)} ${scales.y(point.value).toFixed(1)}${one.points.length === 1 ? "h0" : ""}`).join("");
    const [first, last] = [one.points[0], one.points[one.points.length - 1]];
    return (
      <g key={series}>
        {isFilled && first && last && <path className={`chart-area line-${series}`} d={`${way}L${scales.x(last.at).toFixed(1)} ${scales.zero}L${scales.x(first.at).toFixed(1)} ${scales.zero}z`} />}
        <path className={`line line-${series}`} d={way} />
      </g>
    );
  });
  return { nodes, spots: spotsOf(plot, scales) };
}

function slices(plot: Plot, frame: Frame): Marks {
  const points = plot.series[0]?.points ?? [];
  const total = points.reduce((sum, point) => sum + point.value, 0);
  const [x, y] = [frame.width / 2, frame.height / 2];
  const size = Math.max(10, Math.min(x, y) - 12);
  const spots: Spot[] = [];
  let before = 0;
  const corner = (part: number) => `${(x + size * Math.sin(2 * Math.PI * part)).toFixed(2)} ${(y - size * Math.cos(2 * Math.PI * part)).toFixed(2)}`;
  const nodes = points.map((point, index) => {
    const part = point.value / (total || 1);
    const [from, to] = [before, before + part];
    before = to;
    const middle = 2 * Math.PI * (from + to) / 2;
    spots.push({
      x: x + size * 0.62 * Math.sin(middle), y: y - size * 0.62 * Math.cos(middle), series: index, place: plot.names[point.at] ?? "",
      text: `${(part * 100).toFixed(1)} %`, value: point.value,
    });
    // A circle has no corner to begin at.
    const shape = part > 0.9999 ? `M${x - size} ${y}a${size} ${size} 0 1 1 ${2 * size} 0a${size} ${size} 0 1 1 ${-2 * size} 0z`
      : `M${x} ${y}L${corner(from)}A${size} ${size} 0 ${part > 0.5 ? 1 : 0} 1 ${corner(to)}z`;
    return <path key={index} className={`chart-slice line-${index % 8}${index >= 8 ? " again" : ""}`} d={shape} />;
  });
  return { nodes, spots };
}
