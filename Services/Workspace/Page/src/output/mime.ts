// What a cell puts out, in the shape of nbformat 4.
import type { CommandError, CommandEvent, Json } from "../api/generated/contract";

export type Bundle = Record<string, Json>;

export type Output =
  | { output_type: "stream"; name: string; text: string | string[] }
  | { output_type: "display_data"; data: Bundle; metadata: Bundle; transient?: { display_id?: string } }
  | { output_type: "execute_result"; data: Bundle; metadata: Bundle; execution_count: number | null }
  | { output_type: "error"; ename: string; evalue: string; traceback: string[] };

export interface TableData {
  columns: Array<{ name: string; type: string }>;
  rows: Json[][];
  truncated: boolean;
  total_rows: number | null;
}

export const tableType = "application/vnd.dataharbour.table+json";
/** What stands for an output that is too large to come by itself. */
export const omittedType = "application/vnd.dataharbour.omitted+json";
export interface Omitted {
  bytes: number;
  output_type?: string;
  /** Of a text: its stream. */
  name?: string;
  head?: string;
  tail?: string;
  /** Of a bundle: its media types, and the first rows of its table. */
  types?: string[];
  table?: TableData;
  /** Of several outputs: how many. */
  outputs?: number;
  /** Whether all outputs of the cell come when it is near. */
  waits?: boolean;
}
export const omittedOf = (output: Output): Omitted | undefined =>
  output.output_type === "display_data" ? output.data[omittedType] as unknown as Omitted | undefined : undefined;
/** What stands where a command put out more than it may. */
export const truncatedType = "application/vnd.dataharbour.truncated+json";
export const exitType = "application/vnd.dataharbour.exit+json";

/** nbformat writes a text as one string or as a list of its lines. */
export function joined(text: Json | undefined): string {
  if (Array.isArray(text)) return text.join("");
  return typeof text === "string" ? text : text === undefined || text === null ? "" : JSON.stringify(text, null, 2);
}

export function tableOf(bundle: Bundle): TableData | undefined {
  const value = bundle[tableType] as unknown as TableData | undefined;
  return value && Array.isArray(value.columns) && Array.isArray(value.rows) ? value : undefined;
}

/** Outputs as text, but for the note that more was left out. */
export function textsOf(outputs: Output[]): string[] {
  return outputs.map((output) => {
    if (output.output_type === "stream") return joined(output.text);
    if (output.output_type === "error") return `${output.traceback.join("\n")}\n`;
    return truncatedType in output.data ? "" : `${joined(output.data["text/plain"] ?? "")}\n`;
  });
}

function errorOutput(error: CommandError): Output {
  return {
    output_type: "error", ename: error.name, evalue: error.message, traceback: error.traceback ?? [],
  };
}

/** Of a text that is left out, the end that is shown. */
const shownTail = 4096;

/** The text of one name that is left out at the end of the outputs, where more of it may come. */
function leftOut(outputs: Output[], name: string): Omitted | undefined {
  const last = outputs[outputs.length - 1];
  const about = last && omittedOf(last);
  return about?.name === name ? about : undefined;
}

function omitted(about: Omitted): Output {
  return { output_type: "display_data", data: { [omittedType]: about as unknown as Json }, metadata: {} };
}

/** Takes in that more was put out than is told of: of a text there is the end. */
export function withOmitted(outputs: Output[], event: CommandEvent, bytes: number, waitsToClear: boolean): Output[] {
  if (event.type === "ERROR") return withEvent(outputs, event, waitsToClear);
  if (event.type !== "STREAM") {
    // A preview comes with it; of a result it stands for it alike.
    const data = { [omittedType]: event.data?.[omittedType] ?? { bytes } };
    const type = event.type === "RESULT" ? "DISPLAY" : event.type;
    return withEvent(outputs, { ...event, type, data }, waitsToClear);
  }
  const before = waitsToClear ? [] : outputs;
  const name = event.name ?? "stdout";
  const tail = event.text ?? "";
  const about = leftOut(before, name);
  if (about) return [...before.slice(0, -1), omitted({ ...about, bytes: about.bytes + bytes, tail })];
  const last = before[before.length - 1];
  if (last?.output_type === "stream" && last.name === name) {
    const text = joined(last.text);
    return [...before.slice(0, -1), omitted({ bytes: text.length + bytes, output_type: "stream", name, head: text.slice(0, shownTail), tail })];
  }
  return [...before, omitted({ bytes, output_type: "stream", name, tail })];
}

/** Takes one event of a command in, as Jupyter's clients do. Text that follows itself stays one output. */
export function withEvent(outputs: Output[], event: CommandEvent, waitsToClear: boolean): Output[] {
  const before = waitsToClear && ["STREAM", "DISPLAY", "RESULT", "ERROR"].includes(event.type) ? [] : outputs;
  switch (event.type) {
    case "STREAM": {
      const name = event.name ?? "stdout";
      const about = leftOut(before, name);
      if (about) {
        const text = event.text ?? "";
        return [...before.slice(0, -1), omitted({ ...about, bytes: about.bytes + text.length, tail: ((about.tail ?? "") + text).slice(-shownTail) })];
      }
      const last = before[before.length - 1];
      if (last?.output_type === "stream" && last.name === name) {
        return [...before.slice(0, -1), { ...last, text: extended(joined(last.text), event.text ?? "") }];
      }
      return [...before, { output_type: "stream", name, text: carriage(event.text ?? "") }];
    }
    case "DISPLAY":
      return [...before, {
        output_type: "display_data", data: event.data ?? {}, metadata: event.metadata ?? {},
        ...(event.display_id ? { transient: { display_id: event.display_id } } : {}),
      }];
    case "UPDATE_DISPLAY":
      return before.map((one) => one.output_type === "display_data" && one.transient?.display_id === event.display_id
        ? { ...one, data: event.data ?? {}, metadata: event.metadata ?? {} } : one);
    case "RESULT":
      return [...before, {
        output_type: "execute_result", data: event.data ?? {}, metadata: event.metadata ?? {},
        execution_count: event.execution_count ?? null,
      }];
    case "ERROR": return event.error ? [...before, errorOutput(event.error)] : before;
    case "STATE":
      // What ended it and was no error of the code, such as the end of the cluster.
      return event.state === "ERROR" && event.error && !before.some((one) => one.output_type === "error")
        ? [...before, errorOutput(event.error)] : before;
    case "CLEAR_OUTPUT": return event.wait ? before : [];
    case "EXIT":
      return [...before, { output_type: "display_data", data: { [exitType]: event.text ?? "" }, metadata: {} }];
    case "TRUNCATED":
      return [...before, { output_type: "display_data", data: { [truncatedType]: event.text ?? "The rest is left out." }, metadata: {} }];
    default: return before;
  }
}

/** Text with more at its end. Only the last line can still change, so that a flood of lines costs what it brings. */
function extended(text: string, more: string): string {
  if (!more.includes("\r") && !text.endsWith("\r")) return text + more;
  const start = text.lastIndexOf("\n") + 1;
  return text.slice(0, start) + carriage(text.slice(start) + more);
}

/** A carriage return goes back to the start of its line, as progress bars want it. */
function carriage(text: string): string {
  if (!text.includes("\r")) return text;
  return text.replace(/\r\n/g, "\n").split("\n").map((line) => {
    const parts = line.replace(/\r+$/, "").split("\r");
    return parts[parts.length - 1];
  }).join("\n");
}
