// A chart of a table: what is charted is chosen beside it, and everything in it is there as a table as well.
import { MouseEvent, useEffect, useMemo, useRef, useState } from "react";
import type { Json } from "../api/generated/contract";
import { type Choice } from "./charts/choice";
import { Fields, aggregateNames } from "./charts/fields";
import { type Marks, type Spot, marksOf, placeOf, shown } from "./charts/marks";
import { type Plot, plotOf } from "./charts/plot";
import { type Frame, scalesOf } from "./charts/scales";
import type { TableData } from "./mime";

const height = 300;
/** How near the pointer has to be to what it is told of, in pixels. */
const near = 40;
const mostValues = 500;

export function Chart({ table, rows, choice, onChoose }: { table: TableData; rows: Json[][]; choice: Choice; onChoose: (choice: Choice) => void }) {
  const place = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(760);
  useEffect(() => {
    if (!place.current) return undefined;
    // Letters stay as large as they are, however narrow it is.
    const sizes = new ResizeObserver(([entry]) => { if (entry) setWidth(Math.max(240, Math.round(entry.contentRect.width))); });
    sizes.observe(place.current);
    return () => sizes.disconnect();
  }, []);
  const plot = useMemo(() => plotOf(table, rows, choice), [table, rows, choice]);
  const notes = [...plot.notes, ...table.truncated ? ["It is of the rows that are here; the whole has more."] : []];
  const title = titleOf(table, choice);
  const isEmpty = plot.series.every((one) => one.points.length === 0);
  return (
    <div className="chart">
      <Fields table={table} choice={choice} onChoose={onChoose} />
      <div ref={place} className="chart-place">
        {isEmpty ? <p className="soft chart-empty">There is nothing to draw: these columns have no numbers together.</p>
          : <Picture plot={plot} choice={choice} width={width} title={title} />}
      </div>
      {!isEmpty && <Legend plot={plot} choice={choice} />}
      {notes.length > 0 && <p className="soft small">{notes.join(" ")}</p>}
      {!isEmpty && <Values plot={plot} title={title} />}
    </div>
  );
}

function titleOf(table: TableData, { kind, x, y, group, aggregate }: Choice): string {
  const name = (index: number | undefined) => index === undefined ? "" : table.columns[index]?.name ?? "";
  const each = group === undefined || kind === "pie" ? "" : `, a colour for each ${name(group)}`;
  if (kind === "histogram") return `How often ${name(y[0])} has which values${each}`;
  const values = (kind === "pie" ? y.slice(0, 1) : y).map(name).join(" and ");
  if (kind === "scatter") return `${values} by ${name(x)}${each}`;
  return `${aggregate === "count" ? aggregateNames.count : `${aggregateNames[aggregate]} of ${values}`} by ${name(x)}${each}`;
}

function Picture({ plot, choice: { kind }, width, title }: { plot: Plot; choice: Choice; width: number; title: string }) {
  const [spot, setSpot] = useState<Spot>();
  const isPie = kind === "pie";
  const drawn = useMemo(() => {
    const frame: Frame = isPie ? { width, height, left: 0, right: 0, top: 0, bottom: 0 } : { width, height, left: 56, right: 14, top: 10, bottom: 28 };
    const stacked = kind === "histogram" ? highest(plot) : undefined;
    const scales = scalesOf(plot, frame, kind === "bar" || kind === "area" || kind === "histogram", stacked);
    const marks: Marks = marksOf(kind, plot, scales, frame);
    return { frame, scales, ...marks };
  }, [plot, kind, width]);
  useEffect(() => setSpot(undefined), [drawn]);
  const { frame, scales, spots } = drawn;
  const look = (event: MouseEvent<SVGSVGElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    const [x, y] = [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
    setSpot(nearest(spots, x, y, kind === "bar" || kind === "histogram"));
  };
  return (
    <>
      <svg viewBox={`0 0 ${width} ${height}`} width={width} height={height} role="img" aria-label={`${title}. ${spoken(plot)}`}
        onMouseMove={look} onClick={look} onMouseLeave={() => setSpot(undefined)}>
        {!isPie && scales.up.map((tick) => (
          <g key={tick.at}>
            <line x1={frame.left} x2={width - frame.right} y1={scales.y(tick.at)} y2={scales.y(tick.at)} className="chart-grid" />
            <text x={frame.left - 8} y={scales.y(tick.at) + 4} textAnchor="end">{tick.text}</text>
          </g>
        ))}
        {!isPie && scales.along.map((tick) => <text key={tick.at} x={scales.x(tick.at)} y={height - 9} textAnchor="middle">{tick.text}</text>)}
        {drawn.nodes}
        {spot && <circle cx={spot.x} cy={spot.y} r={5} className="chart-spot" />}
      </svg>
      {spot && (
        <div className={spot.x > width / 2 ? "chart-tip left" : "chart-tip"} style={{ left: spot.x, top: Math.min(spot.y, height - 50) }} aria-hidden="true">
          <strong>{spot.place}</strong><br />{spot.text}: {shown(spot.value)}
        </div>
      )}
    </>
  );
}

function highest(plot: Plot): number {
  const sums = new Map<number, number>();
  for (const { points } of plot.series) for (const point of points) sums.set(point.at, (sums.get(point.at) ?? 0) + point.value);
  return Math.max(1, ...sums.values());
}

/** Of bars, the one above or below the pointer; of others, what is not far away. */
function nearest(spots: Spot[], x: number, y: number, isAcross: boolean): Spot | undefined {
  let [best, least] = [undefined as Spot | undefined, Infinity];
  for (const spot of spots) {
    const distance = isAcross ? Math.abs(spot.x - x) + Math.abs(spot.y - y) / 1000 : Math.hypot(spot.x - x, spot.y - y);
    if (distance < least) [best, least] = [spot, distance];
  }
  return isAcross || least < near * 2 ? best : undefined;
}

/** What whoever does not see the picture hears; the values follow as a table. */
function spoken(plot: Plot): string {
  let [low, high, count] = [Infinity, -Infinity, 0];
  for (const { points } of plot.series) for (const { value } of points) [low, high, count] = [Math.min(low, value), Math.max(high, value), count + 1];
  const series = plot.series.length > 1 ? `${plot.series.length} series: ${plot.series.map((one) => one.name).join(", ")}. ` : "";
  return `${series}${count.toLocaleString()} ${count === 1 ? "value" : "values"} from ${shown(low)} to ${shown(high)}.`;
}

function Legend({ plot, choice }: { plot: Plot; choice: Choice }) {
  const names = choice.kind === "pie" ? plot.names : plot.series.map((one) => one.name);
  if (names.length < 2) return null;
  return (
    <ul className="legend">{names.map((name, index) => (
      <li key={index}><span className={`legend-key chart-key line-${index % 8}${index >= 8 ? " again" : ""}`} /><span className="truncate">{name}</span></li>
    ))}</ul>
  );
}

function Values({ plot, title }: { plot: Plot; title: string }) {
  const [isOpen, setOpen] = useState(false);
  const all = isOpen ? plot.series.flatMap((one) => one.points.map((point) => ({ ...point, name: one.name }))) : [];
  return (
    <details className="chart-values" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>The values as a table</summary>
      {isOpen && (
        <div className="data-scroll" tabIndex={0} role="region" aria-label={title}>
          <table className="data-table">
            <thead><tr><th scope="col">Place</th>{plot.series.length > 1 && <th scope="col">Series</th>}<th scope="col" className="number">Value</th></tr></thead>
            <tbody>{all.slice(0, mostValues).map((point, index) => (
              <tr key={index}><td>{placeOf(plot, point.at, point.until)}</td>{plot.series.length > 1 && <td>{point.name}</td>}<td className="number">{shown(point.value)}</td></tr>
            ))}</tbody>
          </table>
          {all.length > mostValues && <p className="soft small">The first {mostValues} of {all.length.toLocaleString()}.</p>}
        </div>
      )}
    </details>
  );
}
