// Outputs that are collapsed: a property of the cell that nbformat has two names for, so that every Jupyter shows it alike.
import type { Json } from "../api/generated/contract";
import { type Bundle, type Output, exitType, joined, omittedOf, tableOf } from "../output/mime";
import { bytes } from "../ui/time";
import type { CellView } from "./cells";
import type { DocumentCell } from "./document";

function jupyterOf(cell: DocumentCell): Record<string, Json> {
  const own = cell.metadata?.jupyter;
  return own !== null && typeof own === "object" && !Array.isArray(own) ? own as Record<string, Json> : {};
}

/** Whether a cell's outputs are collapsed: by the newer name, and where that says nothing by the older one. */
export function isHidden(cell: DocumentCell): boolean {
  const hidden = jupyterOf(cell).outputs_hidden;
  return typeof hidden === "boolean" ? hidden : cell.metadata?.collapsed === true;
}

/** The cell with its outputs collapsed or not: both names are written, and neither is left where nothing is collapsed. */
export function withHidden<Cell extends DocumentCell>(cell: Cell, hidden: boolean): Cell {
  const { collapsed: _collapsed, jupyter: _jupyter, ...metadata } = cell.metadata ?? {};
  const { outputs_hidden: _hidden, ...jupyter } = jupyterOf(cell);
  if (hidden) return { ...cell, metadata: { ...metadata, collapsed: true, jupyter: { ...jupyter, outputs_hidden: true } } };
  return { ...cell, metadata: { ...metadata, ...(Object.keys(jupyter).length > 0 ? { jupyter } : {}) } };
}

/** Whether a cell's outputs are collapsed on this page. */
export function isFolded(cell: CellView): boolean { return cell.folded ?? isHidden(cell.origin); }

/** Whether a cell has outputs to collapse, or may get some. */
export function hasOutputs({ type, outputs, run }: CellView): boolean {
  return type === "code" && (outputs.length > 0 || run?.state === "running" || run?.state === "waiting");
}

/** The cells with outputs collapsed, or shown: of those named, as far as they have or may get some; of all without names. */
export function withFolded(cells: CellView[], hidden: boolean, ids?: string[]): CellView[] {
  return cells.map((cell) => {
    const isMeant = cell.type === "code" && (ids === undefined || ids.includes(cell.id)) && isFolded(cell) !== hidden;
    return isMeant && (!hidden || hasOutputs(cell)) ? { ...cell, folded: hidden } : cell;
  });
}

/** The cell with what is collapsed on this page made the notebook's. */
export function withFoldKept(cell: CellView): CellView {
  if (cell.folded === undefined) return cell;
  const { folded, ...rest } = cell;
  return folded === isHidden(cell.origin) ? rest : { ...rest, origin: withHidden(cell.origin, folded) };
}

function linesIn(text: string): number {
  let count = text !== "" && !text.endsWith("\n") ? 1 : 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count += 1;
  return count;
}

const several: Record<string, string> = { line: "lines", table: "tables", image: "images", view: "views", value: "values" };

/** What a bundle is shown as, and how much of it there is. */
function kindOf(bundle: Bundle): [string, number] {
  if (exitType in bundle) return ["value", 1];
  if (tableOf(bundle)) return ["table", 1];
  const types = Object.keys(bundle);
  if (types.some((type) => type.startsWith("image/"))) return ["image", 1];
  if (types.some((type) => type === "text/html" || type === "text/markdown" || type === "text/latex")) return ["view", 1];
  return ["line", linesIn(joined(bundle["text/plain"] ?? bundle["application/json"]))];
}

/** What is not shown of collapsed outputs in a few words, such as "12 lines, 1 image", and the errors among them. */
export function summaryOf(outputs: Output[]): { text: string; errors: string[] } {
  const counts = new Map<string, number>();
  const errors: string[] = [];
  let omitted = 0;
  for (const output of outputs) {
    if (output.output_type === "error") { errors.push(output.ename); continue; }
    const about = omittedOf(output);
    if (about) { omitted += about.bytes; continue; }
    const [kind, count] = output.output_type === "stream" ? ["line", linesIn(joined(output.text))] as const : kindOf(output.data);
    counts.set(kind, (counts.get(kind) ?? 0) + count);
  }
  const parts = [...counts].map(([kind, count]) => `${count.toLocaleString()} ${count === 1 ? kind : several[kind] ?? kind}`);
  if (omitted > 0) parts.push(`${bytes(omitted)} more`);
  return { text: parts.join(", "), errors };
}
