// What the columns of a data file hold.
import type { ColumnProfile, FilePreview } from "../api/generated/contract";
import { Card } from "../ui/parts";
import { bytes } from "../ui/time";

function number(value: number): string {
  return value.toLocaleString(undefined, { maximumSignificantDigits: 5 });
}

export function Profile({ preview }: { preview: FilePreview }) {
  const rows = preview.rows_read.toLocaleString();
  return (
    <Card isFlush title={<>Columns <span className="soft small">
      {preview.is_whole ? `of all ${rows} rows` : `of the first ${rows} rows, ${bytes(preview.bytes_read)} of ${bytes(preview.size)}`}</span></>}>
      <div className="table-box" tabIndex={0} role="region" aria-label="Columns">
        <table className="table profile">
          <thead><tr>
            <th scope="col">Column</th><th scope="col">Type</th><th scope="col">Filled</th><th scope="col" className="number">Different</th>
            <th scope="col">Least</th><th scope="col">Greatest</th><th scope="col" className="number">Mean</th><th scope="col">Most often</th>
          </tr></thead>
          <tbody>{preview.columns.map((column, index) => <Row key={index} column={column} />)}</tbody>
        </table>
      </div>
    </Card>
  );
}

function Row({ column }: { column: ColumnProfile }) {
  const all = column.count + column.missing;
  const filled = all === 0 ? 0 : column.count / all;
  // Not all where a single one is missing.
  const percent = column.missing > 0 ? Math.min(99.9, Math.floor(filled * 1000) / 10) : 100;
  return (
    <tr>
      <td className="name">{column.name}</td>
      <td className="soft nowrap">{column.type.toLowerCase()}</td>
      <td className="nowrap" title={`${column.count.toLocaleString()} with a value, ${column.missing.toLocaleString()} without`}>
        <meter className="filled" min={0} max={1} value={filled} aria-label={`${percent} % of ${column.name} filled`} /> {percent} %</td>
      <td className="number">{column.distinct !== undefined ? column.distinct.toLocaleString() : column.type === "OBJECT" ? "" : "many"}</td>
      <td className="cell-text">{column.minimum ?? ""}</td>
      <td className="cell-text">{column.maximum ?? ""}</td>
      <td className="number nowrap">{column.mean !== undefined && <>{number(column.mean)}
        {column.standard_deviation !== undefined && <span className="soft small"> ± {number(column.standard_deviation)}</span>}</>}</td>
      <td className="small">{(column.most_frequent ?? []).slice(0, 3).map((one) => (
        <span key={one.value} className="often"><span className="often-value">{one.value}</span> {one.count.toLocaleString()}</span>
      ))}</td>
    </tr>
  );
}
