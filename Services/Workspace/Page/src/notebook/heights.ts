// About how high a cell will be, before the browser has laid it out: so that the page has its length from the beginning, and
// what is below a cell does not move when it comes near. The sizes are those of notebook.css and output.css.
import { useSyncExternalStore } from "react";
import { joined, omittedOf, tableOf, type Output } from "../output/mime";
import { foldedText } from "../output/outputs";
import { heightOfWaiting } from "../output/preview";
import { ownLines } from "../output/traceback";
import type { CellView } from "./cells";
import { isFolded } from "./hidden";

const lineHeight = 19;
const outputLineHeight = 18.75;
const letterWidth = 7.53;
/** The strip where a cell is inserted. */
export const stripHeight = 26;
/** With the border and the padding of the cell, and its space at the end. */
const frame = stripHeight + 8 + 4;
const gap = 8;
const outputGap = 10;
/** The line that stands for collapsed outputs. */
const foldedHeight = 30;

/** How wide what a cell puts out can be. */
export function useWidthOfOutputs(): number {
  return useSyncExternalStore(subscribe, widthOfOutputs);
}

function subscribe(listener: () => void): () => void {
  addEventListener("resize", listener);
  return () => removeEventListener("resize", listener);
}

function widthOfOutputs(): number {
  const isNarrow = innerWidth <= 760;
  const rail = isNarrow ? 0 : 212;
  return Math.max(200, Math.min(innerWidth - rail - (isNarrow ? 16 : 56), 1180 - 56) - (isNarrow ? 32 : 54) - 10);
}

/** The lines of a text that is broken where it is too wide. */
export function linesOf(text: string, width: number): number {
  const columns = Math.max(1, Math.floor(width / letterWidth));
  let count = 0;
  // What ends a line begins none: a last line without text has no height.
  for (let start = 0; start < text.length;) {
    const next = text.indexOf("\n", start);
    const end = next < 0 ? text.length : next;
    count += Math.max(1, Math.ceil((end - start) / columns));
    start = end + 1;
  }
  return count;
}

/** The height that the head of a PNG names, at the width that there is. */
export function heightOfPicture(data: string, width: number): number | undefined {
  // What is no base64 is not looked into: anything may stand in a notebook.
  if (!/^iVBORw0KGgo[A-Za-z0-9+/]{21}/.test(data)) return undefined;
  const head = atob(data.slice(0, 32));
  const number = (at: number) => [0, 1, 2, 3].reduce((sum, offset) => sum * 256 + head.charCodeAt(at + offset), 0);
  const [wide, high] = [number(16), number(20)];
  return wide > 0 ? Math.round(high * Math.min(1, width / wide)) : undefined;
}

function heightOfText(text: string, width: number): number {
  const folded = foldedText(text);
  if (!folded) return linesOf(text, width) * outputLineHeight;
  return (linesOf(folded.head, width) + linesOf(folded.tail, width)) * outputLineHeight + 40;
}

function heightOfOutput(output: Output, width: number): number {
  if (output.output_type === "stream") return heightOfText(joined(output.text), width);
  if (output.output_type === "error") {
    const own = ownLines(output.traceback).length;
    return 18 + linesOf(`${output.ename}: ${output.evalue}`, width - 130) * 26 + (own > 0 ? 20 + own * outputLineHeight : 0);
  }
  const data = output.data;
  const omitted = omittedOf(output);
  if (omitted?.waits) return heightOfWaiting(omitted.bytes);
  if (omitted) return 40 + (omitted.table ? 380 : 0) + linesOf((omitted.head ?? "") + (omitted.tail ?? ""), width) * outputLineHeight;
  const table = tableOf(data);
  // Of a part of a table, the bar above it says more and is broken sooner.
  if (table) return (width < (table.truncated ? 640 : 420) ? 72 : 40) + Math.min(440, 32.5 + Math.min(table.rows.length, 100) * 30.5) + (table.rows.length > 100 ? 45 : 0);
  if ("image/png" in data) return heightOfPicture(joined(data["image/png"]), width) ?? 300;
  if (Object.keys(data).some((type) => /^image\/|^text\/html/.test(type))) return 300;
  return heightOfText(joined(data["text/plain"]), width);
}

function heightOfMarkdown(text: string, width: number): number {
  const blocks = text.split(/\n\s*\n/).filter((block) => block.trim());
  const lines = blocks.reduce((sum, block) => sum + linesOf(block, Math.min(width, 620)), 0);
  return Math.max(34, 12 + lines * 22.4 + Math.max(0, blocks.length - 1) * 9);
}

const known = new WeakMap<CellView, { width: number; height: number }>();

/** About how high a cell will be with what is around it, in whole pixels. */
export function heightOf(cell: CellView, width: number): number {
  const before = known.get(cell);
  if (before?.width === width) return before.height;
  let height = frame;
  if (cell.type === "markdown") height += heightOfMarkdown(cell.source, width);
  else {
    height += Math.max(38, 20 + lineHeight * Math.max(1, cell.source.split("\n").length));
    if (cell.run) height += gap + 18;
    if (cell.run?.warning) height += gap + 20 + linesOf(cell.run.warning, width - 52) * 21;
    if (isFolded(cell)) height += cell.outputs.length > 0 ? gap + foldedHeight : 0;
    else if (cell.outputs.length > 0) {
      height += gap + (cell.outputs.length - 1) * outputGap
        + cell.outputs.reduce((sum, output) => sum + heightOfOutput(output, width), 0);
    }
  }
  const rounded = Math.round(height);
  known.set(cell, { width, height: rounded });
  return rounded;
}
