// What of a table is charted, and how. It is kept by the names of columns, so that it holds for the next table of the same cell.
import type { Json } from "../../api/generated/contract";
import type { TableData } from "../mime";

export const kinds = ["bar", "line", "area", "scatter", "histogram", "pie"] as const;
export type Kind = typeof kinds[number];
export const aggregates = ["sum", "mean", "count", "min", "max"] as const;
export type Aggregate = typeof aggregates[number];

export interface Choice {
  kind: Kind;
  /** Columns: what is along, the values, and what has a colour each. */
  x: number;
  y: number[];
  group: number | undefined;
  /** What is made of the values of several rows with the same `x`. */
  aggregate: Aggregate;
}

/** As many columns of values as can be told apart. */
export const mostValues = 6;

const numeric = /^(tinyint|smallint|u?int|bigint|float|double|decimal|long|short|byte)/;

export function isNumeric(type: string): boolean { return numeric.test(type); }

export type Axis = "name" | "number" | "time";

/** What the values of a column are. */
export function axisOf(table: TableData, column: number): Axis {
  const type = table.columns[column]?.type ?? "";
  return isNumeric(type) ? "number" : /^(date|timestamp)/.test(type) ? "time" : "name";
}

export function numbersOf(table: TableData): number[] {
  return table.columns.flatMap((column, index) => isNumeric(column.type) ? [index] : []);
}

export function chartable(table: TableData): boolean { return table.rows.length > 1 && numbersOf(table).length > 0; }

/** What is charted as long as nobody has chosen: values by names, or along the time. */
export function usual(table: TableData): Choice {
  const numbers = numbersOf(table);
  const others = table.columns.flatMap((_column, index) => numbers.includes(index) ? [] : [index]);
  const x = others.find((index) => axisOf(table, index) === "time") ?? others[0] ?? numbers[0] ?? 0;
  const y = numbers.find((index) => index !== x) ?? numbers[0] ?? 0;
  return { kind: axisOf(table, x) === "time" ? "line" : "bar", x, y: [y], group: undefined, aggregate: "sum" };
}

/** What was kept, as far as the table has it. */
export function chosen(table: TableData, kept: Json | undefined): Choice {
  const choice = usual(table);
  if (kept === null || typeof kept !== "object" || Array.isArray(kept)) return choice;
  const column = (name: Json | undefined) => table.columns.findIndex((one) => one.name === name);
  const numbers = numbersOf(table);
  const kind = kinds.find((one) => one === kept.kind) ?? choice.kind;
  const aggregate = aggregates.find((one) => one === kept.aggregate) ?? choice.aggregate;
  const x = column(kept.x);
  const group = column(kept.group);
  const y = (Array.isArray(kept.y) ? kept.y : []).map(column).filter((one) => numbers.includes(one));
  return {
    kind, aggregate, x: x < 0 ? choice.x : x, y: y.length > 0 ? [...new Set(y)].slice(0, mostValues) : choice.y, group: group < 0 ? undefined : group,
  };
}

export function kept(table: TableData, choice: Choice): Json {
  const name = (index: number) => table.columns[index]?.name ?? "";
  return {
    kind: choice.kind, x: name(choice.x), y: choice.y.map(name), aggregate: choice.aggregate,
    ...(choice.group === undefined ? {} : { group: name(choice.group) }),
  };
}
