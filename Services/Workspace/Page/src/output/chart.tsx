// A plain chart of a table: bars for names, lines for what can be ordered.
import { useState } from "react";
import type { Json } from "../api/generated/contract";
import { TableData } from "./mime";
import { ticks } from "../ui/ticks";
import { isNumeric } from "./table";

const width = 760;
const height = 260;
const left = 56;
const bottom = 44;

export function chartable(table: TableData): boolean {
  return table.rows.length > 1 && table.columns.some((column) => isNumeric(column.type));
}

export function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${Number((value / 1e9).toFixed(1))}G`;
  if (size >= 1e6) return `${Number((value / 1e6).toFixed(1))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toFixed(1))}k`;
  return String(Number(value.toPrecision(4)));
}

export function Chart({ table, rows }: { table: TableData; rows: Json[][] }) {
  const numbers = table.columns.flatMap((column, index) => isNumeric(column.type) ? [index] : []);
  const names = table.columns.flatMap((column, index) => isNumeric(column.type) ? [] : [index]);
  const [x, setX] = useState(names[0] ?? numbers[0] ?? 0);
  const [y, setY] = useState(numbers.find((index) => index !== x) ?? numbers[0] ?? 0);
  const points = rows.slice(0, 200).map((row) => ({ name: String(row[x] ?? "null"), value: Number(row[y] ?? NaN) }))
    .filter((point) => Number.isFinite(point.value));
  const low = Math.min(0, ...points.map((point) => point.value));
  const high = Math.max(0, ...points.map((point) => point.value));
  const scale = (value: number) => 12 + (height - bottom - 12) * (1 - (value - low) / ((high - low) || 1));
  const room = (width - left - 10) / Math.max(points.length, 1);
  const every = Math.ceil(points.length / 14);
  const choice = (label: string, value: number, set: (index: number) => void, from: number[]) => (
    <label className="row small">{label}
      <select className="input small" value={value} onChange={(event) => set(Number(event.target.value))}>
        {from.map((index) => <option key={index} value={index}>{table.columns[index]?.name}</option>)}
      </select>
    </label>
  );
  return (
    <div className="chart">
      <div className="row wrap">{choice("Of", y, setY, numbers)}{choice("by", x, setX, table.columns.map((_, index) => index))}</div>
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={`${table.columns[y]?.name} by ${table.columns[x]?.name}`}>
        {ticks(low, high).map((tick) => (
          <g key={tick}>
            <line x1={left} x2={width} y1={scale(tick)} y2={scale(tick)} className="chart-grid" />
            <text x={left - 8} y={scale(tick) + 4} textAnchor="end">{short(tick)}</text>
          </g>
        ))}
        {points.map((point, index) => (
          <g key={index}>
            <rect x={left + index * room + room * 0.14} width={Math.max(room * 0.72, 1)} rx={Math.min(3, room / 6)} className="chart-bar"
              y={Math.min(scale(point.value), scale(0))} height={Math.max(Math.abs(scale(point.value) - scale(0)), 1)}>
              <title>{`${point.name}: ${point.value}`}</title>
            </rect>
            {index % every === 0 && (
              <text x={left + (index + 0.5) * room} y={height - bottom + 18} textAnchor="middle">
                {point.name.length * 6.2 > room * every ? `${point.name.slice(0, Math.max(2, Math.floor(room * every / 7)))}…` : point.name}
              </text>
            )}
          </g>
        ))}
      </svg>
    </div>
  );
}
