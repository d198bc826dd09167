// The choice of what is charted: a row of fields.
import { useId } from "react";
import type { TableData } from "../mime";
import { type Aggregate, type Choice, type Kind, aggregates, axisOf, kinds, mostValues, numbersOf } from "./choice";

const kindNames: Record<Kind, string> = { bar: "Bars", line: "Lines", area: "Areas", scatter: "Dots", histogram: "Histogram", pie: "Pie" };
export const aggregateNames: Record<Aggregate, string> = { sum: "sum", mean: "mean", count: "number of rows", min: "lowest", max: "highest" };

interface Option { value: string; text: string }

function Field({ label, value, options, onChange, isHidden }: {
  label: string; value: string; options: Option[]; onChange: (value: string) => void; isHidden?: boolean;
}) {
  const id = useId();
  return (
    <span className="row small"><label htmlFor={id} className={isHidden ? "visually-hidden" : undefined}>{label}</label>
      <select id={id} className="input small" value={value} onChange={(event) => onChange(event.target.value)}>
        {options.map((one) => <option key={one.value} value={one.value}>{one.text}</option>)}
      </select>
    </span>
  );
}

export function Fields({ table, choice, onChoose }: { table: TableData; choice: Choice; onChoose: (choice: Choice) => void }) {
  const named = (columns: number[]): Option[] => columns.map((index) => ({ value: String(index), text: table.columns[index]?.name ?? "" }));
  const all = table.columns.map((_column, index) => index);
  const numbers = numbersOf(table);
  const { kind, x, y, group, aggregate } = choice;
  const set = (change: Partial<Choice>) => onChoose({ ...choice, ...change });
  const counts = aggregate === "count" && kind !== "scatter" && kind !== "histogram";
  const severalValues = kind !== "histogram" && kind !== "pie" && !counts;
  const free = numbers.filter((index) => !y.includes(index));
  const none = { value: "", text: "none" };
  return (
    <div className="chart-fields">
      <Field label="Kind of chart" isHidden value={kind} options={kinds.map((one) => ({ value: one, text: kindNames[one] }))}
        onChange={(value) => set({ kind: value as Kind })} />
      {kind !== "scatter" && kind !== "histogram" && (
        <Field label="What is made of several rows" isHidden value={aggregate} options={aggregates.map((one) => ({ value: one, text: aggregateNames[one] }))}
          onChange={(value) => set({ aggregate: value as Aggregate })} />
      )}
      {!counts && y.slice(0, severalValues ? undefined : 1).map((column, index) => (
        <Field key={index} label={index === 0 ? "of" : "and"} value={String(column)}
          options={[...index > 0 ? [none] : [], ...named(numbers.filter((one) => one === column || !y.includes(one) || !severalValues))]}
          onChange={(value) => set({ y: value === "" ? y.filter((one) => one !== column) : severalValues ? y.map((one) => one === column ? Number(value) : one) : [Number(value)] })} />
      ))}
      {severalValues && free.length > 0 && y.length < mostValues && (
        <Field label="and" value="" options={[none, ...named(free)]} onChange={(value) => { if (value !== "") set({ y: [...y, Number(value)] }); }} />
      )}
      {kind !== "histogram" && <Field label="by" value={String(x)} options={named(all)} onChange={(value) => set({ x: Number(value) })} />}
      {kind !== "pie" && (
        <Field label="a colour for each" value={group === undefined ? "" : String(group)} options={[none, ...named(all.filter((index) => axisOf(table, index) !== "number" || index === group)),
          ...named(all.filter((index) => axisOf(table, index) === "number" && index !== group))]}
          onChange={(value) => set({ group: value === "" ? undefined : Number(value) })} />
      )}
    </div>
  );
}
