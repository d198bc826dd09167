// What differs between two texts of a notebook: cell by cell, and in a cell line by line.
import { diffArrays, diffLines, diffWordsWithSpace } from "diff";
import { joined } from "../output/mime";
import type { DocumentCell, NotebookDocument } from "./document";

/** A piece of a line; what the other side has not is its own. */
export interface Piece { text: string; isOwn: boolean }

export interface Line { number: number; pieces: Piece[] }

/** Lines beside each other, of which one may be missing; or how many that are alike are left out. */
export type Row = { kind: "alike" | "changed"; left?: Line; right?: Line } | { kind: "hidden"; count: number };

/** Where a cell stands, counted from one, and what it is. */
export interface Place { place: number; type: DocumentCell["cell_type"] }

export interface CellDifference {
  id: string;
  left?: Place;
  right?: Place;
  /** Other cells that both have stand on another side of it than before. */
  isMoved: boolean;
  /** The names of its settings that differ. */
  settings: string[];
  /** Without any where its text is the same. */
  rows: Row[];
}

/** More lines than these are put beside each other as they are: to compare them all would take too long. */
const mostLines = 4000;
/** In longer lines words are not compared. */
const longestLine = 1000;
/** How many lines are shown around what differs. */
const around = 3;

/** The cells that differ, in the order of both: what only the left has stands where it stood. */
export function differences(left: NotebookDocument, right: NotebookDocument): CellDifference[] {
  const [lefts, rights] = [byID(left), byID(right)];
  const found: CellDifference[] = [];
  const add = (id: string, isMoved: boolean) => {
    const one = compared(id, lefts.get(id), rights.get(id), isMoved);
    if (one) found.push(one);
  };
  for (const part of diffArrays([...lefts.keys()], [...rights.keys()])) {
    for (const id of part.value) {
      // What is on both sides but not in one order is told once, where it stands now.
      if (part.removed) { if (!rights.has(id)) add(id, false); }
      else add(id, part.added === true && lefts.has(id));
    }
  }
  return found;
}

interface Placed { cell: DocumentCell; place: number }

function byID(notebook: NotebookDocument): Map<string, Placed> {
  return new Map(notebook.cells.map((cell, index) => [cell.id ?? `cell-${index + 1}`, { cell, place: index + 1 }]));
}

function compared(id: string, left: Placed | undefined, right: Placed | undefined, isMoved: boolean): CellDifference | undefined {
  const [mine, theirs] = [left && joined(left.cell.source), right && joined(right.cell.source)];
  const rows = mine === theirs ? [] : rowsOf(mine, theirs);
  const settings = left && right ? differentSettings(left.cell, right.cell) : [];
  const isSame = left && right && rows.length === 0 && settings.length === 0 && left.cell.cell_type === right.cell.cell_type;
  if (isSame && !isMoved) return undefined;
  const at = (one: Placed | undefined) => one && { place: one.place, type: one.cell.cell_type };
  return { id, left: at(left), right: at(right), isMoved, settings, rows };
}

function differentSettings(left: DocumentCell, right: DocumentCell): string[] {
  const names = new Set([...Object.keys(left.metadata), ...Object.keys(right.metadata)]);
  return [...names].filter((name) => JSON.stringify(left.metadata[name]) !== JSON.stringify(right.metadata[name])).sort();
}

const linesOf = (text: string) => text.split("\n");
const whole = (text: string): Piece[] => [{ text, isOwn: false }];

function rowsOf(left: string | undefined, right: string | undefined): Row[] {
  const [mine, theirs] = [left === undefined ? [] : linesOf(left), right === undefined ? [] : linesOf(right)];
  // What is alike at both ends is found without comparing each line with each.
  const least = Math.min(mine.length, theirs.length);
  let [start, end] = [0, 0];
  while (start < least && mine[start] === theirs[start]) start += 1;
  while (end < least - start && mine[mine.length - 1 - end] === theirs[theirs.length - 1 - end]) end += 1;
  const [before, after] = [mine.slice(start, mine.length - end), theirs.slice(start, theirs.length - end)];
  const middle = before.length + after.length > mostLines || before.length === 0 || after.length === 0
    ? beside(before, after, start + 1, start + 1, false) : compareLines(before, after, start + 1);
  return shortened([...alike(mine.slice(0, start), 1, 1), ...middle,
    ...alike(mine.slice(mine.length - end), mine.length - end + 1, theirs.length - end + 1)]);
}

function alike(lines: string[], leftNumber: number, rightNumber: number): Row[] {
  return lines.map((text, index) => ({
    kind: "alike", left: { number: leftNumber + index, pieces: whole(text) }, right: { number: rightNumber + index, pieces: whole(text) },
  }));
}

/** @param number of the first line on both sides. */
function compareLines(left: string[], right: string[], number: number): Row[] {
  const rows: Row[] = [];
  let [leftNumber, rightNumber, removed] = [number, number, [] as string[]];
  const settle = (added: string[]) => {
    rows.push(...beside(removed, added, leftNumber, rightNumber));
    leftNumber += removed.length;
    rightNumber += added.length;
    removed = [];
  };
  for (const part of diffLines(`${left.join("\n")}\n`, `${right.join("\n")}\n`)) {
    const lines = linesOf(part.value.slice(0, -1));
    // What is taken away comes before what is put in its place.
    if (part.removed) { removed = lines; continue; }
    if (part.added) { settle(lines); continue; }
    settle([]);
    rows.push(...alike(lines, leftNumber, rightNumber));
    leftNumber += lines.length;
    rightNumber += lines.length;
  }
  settle([]);
  return rows;
}

/** Lines of one place on both sides; where there are as many, each is compared with the one beside it. */
function beside(left: string[], right: string[], leftNumber: number, rightNumber: number, isByWords = true): Row[] {
  return Array.from({ length: Math.max(left.length, right.length) }, (_, index) => {
    const [mine, theirs] = [left[index], right[index]];
    const [before, after] = isByWords && mine !== undefined && theirs !== undefined
      ? words(mine, theirs) : [whole(mine ?? ""), whole(theirs ?? "")];
    return {
      kind: mine === theirs ? "alike" : "changed", left: mine === undefined ? undefined : { number: leftNumber + index, pieces: before },
      right: theirs === undefined ? undefined : { number: rightNumber + index, pieces: after },
    };
  });
}

/** Two lines by their words; as wholes where they have little in common. */
function words(left: string, right: string): [Piece[], Piece[]] {
  if (Math.max(left.length, right.length) > longestLine) return [whole(left), whole(right)];
  const parts = diffWordsWithSpace(left, right);
  const common = parts.reduce((sum, part) => sum + (part.added || part.removed ? 0 : part.value.trim().length), 0);
  if (common * 3 < Math.max(left.length, right.length)) return [whole(left), whole(right)];
  const side = (isOther: (part: typeof parts[number]) => boolean | undefined) =>
    parts.filter((part) => !isOther(part)).map((part) => ({ text: part.value, isOwn: Boolean(part.added || part.removed) }));
  return [side((part) => part.added), side((part) => part.removed)];
}

/** Without the lines that are alike and far from what differs. */
function shortened(rows: Row[]): Row[] {
  const isNear = rows.map(() => false);
  rows.forEach((row, index) => {
    if (row.kind === "changed") isNear.fill(true, Math.max(0, index - around), index + around + 1);
  });
  const shown: Row[] = [];
  rows.forEach((row, index) => {
    const last = shown[shown.length - 1];
    if (isNear[index]) shown.push(row);
    else if (last?.kind === "hidden") last.count += 1;
    else shown.push({ kind: "hidden", count: 1 });
  });
  return shown;
}
