// Which tables of a cell are shown as charts, and how: kept in the cell's metadata under a name of our own.
import type { Json } from "../api/generated/contract";
import type { CellView } from "./cells";
import type { DocumentCell } from "./document";

/** More is nobody's choice. */
const most = 50;

function objectOf(value: Json | undefined): Record<string, Json> {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value as Record<string, Json> : {};
}

/** What is chosen for each table, by the place of its output. */
export function chartsOf(cell: DocumentCell | undefined): Record<string, Json> { return objectOf(objectOf(cell?.metadata?.dataharbour).charts); }

export function areSameCharts(one: DocumentCell | undefined, other: DocumentCell | undefined): boolean {
  return JSON.stringify(chartsOf(one)) === JSON.stringify(chartsOf(other));
}

/** The cell with these charts; no name of ours is left where there are none. */
export function withCharts<Cell extends DocumentCell>(cell: Cell, charts: Record<string, Json>): Cell {
  const { dataharbour, ...metadata } = cell.metadata ?? {};
  const { charts: _charts, ...ours } = objectOf(dataharbour);
  const kept = Object.fromEntries(Object.entries(charts).slice(0, most));
  const all = Object.keys(kept).length > 0 ? { ...ours, charts: kept } : ours;
  return { ...cell, metadata: { ...metadata, ...(Object.keys(all).length > 0 ? { dataharbour: all } : {}) } };
}

/** The cell with the choice for one table, or without. */
export function withChart<Cell extends DocumentCell>(cell: Cell, place: number, choice: Json | undefined): Cell {
  const { [String(place)]: _before, ...others } = chartsOf(cell);
  return withCharts(cell, choice === undefined ? others : { ...others, [String(place)]: choice });
}

/** The cell with what is charted on this page made the notebook's. */
export function withChartsKept(cell: CellView): CellView {
  if (cell.charts === undefined) return cell;
  const { charts, ...rest } = cell;
  return { ...rest, origin: withCharts(cell.origin, charts) };
}
