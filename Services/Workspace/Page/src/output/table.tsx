// A table of a cell: sorted, filtered, charted and saved as CSV without asking the server again.
import { useContext, useDeferredValue, useMemo, useState } from "react";
import type { Json } from "../api/generated/contract";
import { Button } from "../ui/parts";
import { Icon } from "../ui/icons";
import { TableData } from "./mime";
import { Chart } from "./chart";
import { type Choice, chartable, chosen, isNumeric, kept } from "./charts/choice";
import { Charts, OutputPlace } from "./charts/kept";

const step = 100;

function text(value: Json | undefined): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function compare(left: Json, right: Json): number {
  if (typeof left === "number" && typeof right === "number") return left - right;
  const a = Number(left);
  const b = Number(right);
  if (text(left) !== "" && text(right) !== "" && !Number.isNaN(a) && !Number.isNaN(b)) return a - b;
  return text(left).localeCompare(text(right));
}

interface Order { column: number; isDown: boolean }

/** Rows in the order of a column. What is not there comes last either way, and what is equal stays as it was. */
function ordered(rows: Json[][], { column, isDown }: Order): Json[][] {
  return [...rows].sort((one, other) => {
    const [left, right] = [one[column] ?? null, other[column] ?? null];
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    return isDown ? -compare(left, right) : compare(left, right);
  });
}

/** CSV by RFC 4180. A text that a spreadsheet would take for a formula gets a quote in front. */
export function csv(table: TableData, rows: Json[][]): string {
  const cell = (value: Json | undefined) => {
    let one = text(value);
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(one) && Number.isNaN(Number(one))) one = `'${one}`;
    return /[",\r\n]/.test(one) ? `"${one.replace(/"/g, '""')}"` : one;
  };
  return [table.columns.map((column) => cell(column.name)), ...rows.map((row) => row.map(cell))]
    .map((row) => row.join(",")).join("\r\n") + "\r\n";
}

export function save(name: string, type: string, content: BlobPart | BlobPart[]): void {
  const url = URL.createObjectURL(new Blob(Array.isArray(content) ? content : [content], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** As many letters fit into the widest column, however wide they are. */
const alwaysFits = 28;

function Value({ value, isNumber }: { value: Json | undefined; isNumber: boolean }) {
  const shown = text(value);
  const classes = [isNumber && "number", shown.length > alwaysFits && "long"].filter(Boolean).join(" ");
  return <td className={classes || undefined}>{value === null || value === undefined ? <span className="null">null</span> : shown}</td>;
}

/** What is charted of a table, if it is; kept with its cell where there is one that may be changed. */
function useChart(table: TableData): [Choice | undefined, (choice: Choice | undefined) => void] {
  const keeper = useContext(Charts);
  const place = useContext(OutputPlace);
  const [own, setOwn] = useState<Json | undefined>();
  const value = keeper ? keeper.of(place) : own;
  const choice = useMemo(() => value === undefined || !chartable(table) ? undefined : chosen(table, value), [table, value]);
  return [choice, (one) => {
    const json = one && kept(table, one);
    if (keeper) keeper.keep(place, json);
    else setOwn(json);
  }];
}

/** What the rows that are shown are saved as: whoever opens the file later has to see that it is not all. */
function fileName(name: string, table: TableData, count: number): string {
  const part = table.truncated ? `-first-${table.rows.length}` : "";
  return `${name}${part}${count < table.rows.length ? "-filtered" : ""}.csv`;
}

export function TableOutput({ table, name = "table", whole }: {
  table: TableData; name?: string;
  /** What gives all rows where these are not all, as the end of a sentence. */
  whole?: string;
}) {
  const [order, setOrder] = useState<Order | null>(null);
  const [filter, setFilter] = useState("");
  const [limit, setLimit] = useState(step);
  const [charted, setCharted] = useChart(table);
  const wanted = useDeferredValue(filter.trim().toLowerCase());

  const rows = useMemo(() => {
    const kept = wanted ? table.rows.filter((row) => row.some((value) => text(value).toLowerCase().includes(wanted))) : table.rows;
    return order ? ordered(kept, order) : kept;
  }, [table, wanted, order]);

  const sort = (column: number) => setOrder((now) => {
    if (now?.column !== column) return { column, isDown: false };
    return now.isDown ? null : { column, isDown: true };
  });
  const total = table.total_rows ?? table.rows.length;
  const count = `${rows.length === table.rows.length ? "" : `${rows.length.toLocaleString()} of `}`
    + `${table.rows.length.toLocaleString()} ${table.rows.length === 1 ? "row" : "rows"}`
    + (table.truncated ? (table.total_rows ? `; the whole has ${total.toLocaleString()}` : "; there are more") + (whole ? `: ${whole}` : "") : "");
  const isAll = !table.truncated && rows.length === table.rows.length;
  const these = rows.length === 1 ? "this row" : `these ${rows.length.toLocaleString()} rows`;

  return (
    <div className="data">
      <div className="data-bar">
        <span className="soft small grow">{count} · {table.columns.length} {table.columns.length === 1 ? "column" : "columns"}</span>
        <label className="data-filter"><Icon name="search" size={14} /><span className="visually-hidden">Filter rows</span>
          <input type="search" placeholder="Filter" value={filter} onChange={(event) => setFilter(event.target.value)} /></label>
        {chartable(table) && (
          <Button isSmall tone="quiet" icon="monitor" aria-pressed={charted !== undefined} onClick={() => setCharted(charted ? undefined : chosen(table, undefined))}>{charted ? "Table" : "Chart"}</Button>
        )}
        <Button isSmall tone="quiet" icon="download" onClick={() => save(fileName(name, table, rows.length), "text/csv;charset=utf-8", csv(table, rows))}>
          {isAll ? "CSV" : `CSV of ${these}`}</Button>
      </div>
      {charted ? <Chart table={table} rows={rows} choice={charted} onChoose={setCharted} /> : (
        <div className="data-scroll" tabIndex={0} role="region" aria-label={`Table of ${name}`}>
          <table className="data-table">
            <thead><tr>
              {table.columns.map((column, index) => (
                <th key={index} className={isNumeric(column.type) ? "number" : undefined} scope="col"
                  aria-sort={order?.column === index ? (order.isDown ? "descending" : "ascending") : "none"}>
                  <button type="button" className="sort" onClick={() => sort(index)} title={`${column.name}: ${column.type}`}>
                    {column.name}
                    {order?.column === index && <Icon name={order.isDown ? "down" : "up"} size={12} />}
                  </button>
                </th>
              ))}
            </tr></thead>
            <tbody>
              {rows.slice(0, limit).map((row, index) => (
                <tr key={index}>{table.columns.map((column, at) => <Value key={at} value={row[at]} isNumber={isNumeric(column.type)} />)}</tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {!charted && rows.length > limit && (
        <div className="data-more"><Button isSmall onClick={() => setLimit(limit + step * 5)}>
          Show more ({(rows.length - limit).toLocaleString()} left)</Button></div>
      )}
    </div>
  );
}
