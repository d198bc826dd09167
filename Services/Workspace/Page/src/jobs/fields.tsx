// Fields of the editor: each shows what is wrong at its place in the job.
import { ReactNode, useEffect, useRef, useState } from "react";
import { Button, Field } from "../ui/parts";
import { useProblems } from "./check";

interface Common { label: string; hint?: ReactNode; path?: string; problem?: string }

/** A field of the job at a JSON pointer. */
export function At({ label, hint, path, problem, children }: Common & {
  children: (id: string, more: { "aria-describedby"?: string; "aria-invalid"?: boolean }) => ReactNode;
}) {
  const problems = useProblems();
  const said = problem ?? (path ? problems.at(path) : undefined);
  return (
    <Field label={label} hint={hint} problem={said}>
      {(id, described) => children(id, { "aria-describedby": described, "aria-invalid": said !== undefined || undefined })}
    </Field>
  );
}

export function Text({ value, onChange, rows, isMono, type = "text", placeholder, list, ...common }: Common & {
  value: string; onChange: (value: string) => void; rows?: number; isMono?: boolean; type?: string; placeholder?: string; list?: string[];
}) {
  const className = isMono ? "input mono" : "input";
  return (
    <At {...common}>{(id, more) => rows
      ? <textarea id={id} className={className} rows={rows} value={value} placeholder={placeholder} spellCheck={!isMono}
        onChange={(event) => onChange(event.target.value)} {...more} />
      : <>
        <input id={id} className={className} type={type} value={value} placeholder={placeholder} autoComplete="off" spellCheck={!isMono}
          list={list && `${id}-list`} onChange={(event) => onChange(event.target.value)} {...more} />
        {list && <datalist id={`${id}-list`}>{list.map((one) => <option key={one} value={one} />)}</datalist>}
      </>}
    </At>
  );
}

/** A number, or nothing. */
export function Whole({ value, onChange, min, max, placeholder, ...common }: Common & {
  value: number | undefined; onChange: (value: number | undefined) => void; min?: number; max?: number; placeholder?: string;
}) {
  return (
    <At {...common}>{(id, more) => (
      <input id={id} className="input" type="number" inputMode="numeric" value={value ?? ""} min={min} max={max} placeholder={placeholder}
        onChange={(event) => onChange(event.target.value.trim() === "" ? undefined : Number(event.target.value))} {...more} />)}
    </At>
  );
}

export function Select({ value, onChange, options, ...common }: Common & {
  value: string; onChange: (value: string) => void; options: Array<{ value: string; text: string; group?: string }>;
}) {
  const groups = [...new Set(options.map((one) => one.group))];
  return (
    <At {...common}>{(id, more) => (
      <select id={id} className="input" value={value} onChange={(event) => onChange(event.target.value)} {...more}>
        {groups.map((group) => {
          const inside = options.filter((one) => one.group === group).map((one) => <option key={one.value} value={one.value}>{one.text}</option>);
          return group ? <optgroup key={group} label={group}>{inside}</optgroup> : inside;
        })}
      </select>)}
    </At>
  );
}

export function Check({ label, hint, value, onChange }: { label: string; hint?: string; value: boolean; onChange: (value: boolean) => void }) {
  return (
    <label className="check"><input type="checkbox" checked={value} onChange={(event) => onChange(event.target.checked)} />
      <span>{label}{hint && <span className="soft small"> {hint}</span>}</span></label>
  );
}

type Row = [name: string, value: string];
const filled = (rows: Row[]) => rows.filter(([name, value]) => name !== "" || value !== "");

/** Names with values, in rows. Half a row, and a name for the second time, stay here until they are whole. */
export function Pairs({ label, hint, path, rows, onChange, names, add = "Add", isFixed }: {
  label: string; hint?: ReactNode; path?: string; rows: Row[]; onChange: (rows: Row[]) => void; names?: string; add?: string;
  /** Only values are changed. */
  isFixed?: boolean;
}) {
  const [shown, setShown] = useState<Row[]>(rows);
  const told = useRef(JSON.stringify(rows));
  const last = useRef<HTMLInputElement>(null);
  const [isAdded, setAdded] = useState(false);
  const text = JSON.stringify(rows);
  // What comes from elsewhere, as by undo, is shown; what was told from here comes back as it was told.
  useEffect(() => { if (text !== told.current) { told.current = text; setShown(JSON.parse(text) as Row[]); } }, [text]);
  useEffect(() => { if (isAdded) { last.current?.focus(); setAdded(false); } }, [isAdded]);
  const problems = useProblems();
  const said = path ? problems.at(path) : undefined;
  const twice = shown.find(([name], index) => name !== "" && shown.findIndex(([other]) => other === name) < index);
  const tell = (next: Row[]) => {
    setShown(next);
    const whole = filled(next).filter(([name], index, all) => name !== "" && all.findIndex(([other]) => other === name) === index);
    told.current = JSON.stringify(whole);
    onChange(whole);
  };
  const change = (index: number, part: 0 | 1, value: string) =>
    tell(shown.map((row, at) => at === index ? (part === 0 ? [value, row[1]] : [row[0], value]) : row));
  const what = names ?? label.toLowerCase();
  return (
    <fieldset className="pairs">
      <legend>{label}</legend>
      {shown.map(([name, value], index) => (
        <div key={index} className="pair">
          {isFixed ? <span className="mono truncate" title={name}>{name}</span>
            : <input ref={index === shown.length - 1 ? last : undefined} className="input mono" value={name} aria-label={`Name of ${what} ${index + 1}`}
              placeholder="name" autoComplete="off" spellCheck={false}
              onChange={(event) => change(index, 0, event.target.value)} />}
          <input className="input mono" value={value} aria-label={isFixed || name ? `Value of ${name}` : `Value of ${what} ${index + 1}`}
            placeholder="value" autoComplete="off" spellCheck={false}
            onChange={(event) => change(index, 1, event.target.value)} />
          {!isFixed && <Button tone="quiet" icon="close" aria-label={`Remove ${name || `${what} ${index + 1}`}`}
            onClick={() => tell(shown.filter((_, at) => at !== index))} />}
        </div>
      ))}
      {!isFixed && <div><Button isSmall icon="plus" onClick={() => { setShown([...shown, ["", ""]]); setAdded(true); }}>{add}</Button></div>}
      {twice && <div className="problem">{twice[0]} is there twice: the first counts.</div>}
      {said ? <div className="problem">{said}</div> : hint && <div className="hint">{hint}</div>}
    </fieldset>
  );
}

/** The same for a member that is a map of texts. */
export function MapField({ value, onChange, ...rest }: {
  label: string; hint?: ReactNode; path?: string; names?: string; add?: string;
  value: Record<string, string> | undefined; onChange: (value: Record<string, string> | undefined) => void;
}) {
  return <Pairs {...rest} rows={Object.entries(value ?? {})} onChange={(rows) => onChange(rows.length > 0 ? Object.fromEntries(rows) : undefined)} />;
}

/** Arguments, one a line. */
export function Lines({ value, onChange, ...rest }: Common & {
  value: string[] | undefined; onChange: (value: string[] | undefined) => void; placeholder?: string;
}) {
  const [text, setText] = useState((value ?? []).join("\n"));
  const outside = (value ?? []).join("\n");
  useEffect(() => { setText((before) => before.split("\n").filter(Boolean).join("\n") === outside ? before : outside); }, [outside]);
  return <Text {...rest} rows={3} isMono value={text} onChange={(next) => {
    setText(next);
    const lines = next.split("\n").filter(Boolean);
    onChange(lines.length > 0 ? lines : undefined);
  }} />;
}

/** A part of the job as JSON. What is no JSON stays here; all else the server judges. */
export function JSONField({ value, onChange, wrong, rows = 8, ...common }: Common & {
  value: unknown; onChange: (value: never) => void; rows?: number;
  /** Why something could not be shown. */
  wrong?: (value: unknown) => string | undefined;
}) {
  const outside = JSON.stringify(value, null, 2) ?? "";
  const [text, setText] = useState(outside);
  const [problem, setProblem] = useState<string>();
  const told = useRef(outside);
  useEffect(() => { if (outside !== told.current) { told.current = outside; setText(outside); setProblem(undefined); } }, [outside]);
  return <Text {...common} problem={problem} rows={rows} isMono value={text} onChange={(next) => {
    setText(next);
    try {
      const parsed = JSON.parse(next) as unknown;
      if (!parsed || typeof parsed !== "object" || Array.isArray(parsed)) { setProblem("An object is wanted, in { and }."); return; }
      const form = wrong?.(parsed);
      setProblem(form);
      if (form) return;
      told.current = JSON.stringify(parsed, null, 2);
      onChange(parsed as never);
    } catch (error) {
      setProblem(`This is no JSON: ${error instanceof Error ? error.message : ""}`);
    }
  }} />;
}
