// Finding a text in a notebook, and putting another one in its place. Cells that are not made yet are looked through as well.
import type { CellView } from "./cells";
import { partsOf } from "./document";

export interface Wanted { text: string; isCase: boolean; isPattern: boolean }

/** Where it was found, in code units of the text that is edited: that goes without the line that chooses the language. */
export interface Match { id: string; start: number; end: number }

/** So many matches are told apart. */
export const mostMatches = 5000;

/** Nothing for no text, and for a pattern that is none. */
function patternOf({ text, isCase, isPattern }: Wanted): RegExp | undefined {
  if (text === "") return undefined;
  try {
    return new RegExp(isPattern ? text : text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"), isCase ? "gm" : "gim");
  } catch {
    return undefined;
  }
}

export function isWrong(wanted: Wanted): boolean { return wanted.text !== "" && patternOf(wanted) === undefined; }

/** All matches, from the top. */
export function matchesIn(cells: CellView[], wanted: Wanted): Match[] {
  const pattern = patternOf(wanted);
  const found: Match[] = [];
  if (!pattern) return found;
  for (const { id, type, source } of cells) {
    for (const match of partsOf(type, source).body.matchAll(pattern)) {
      // A pattern that matches nothing matches everywhere.
      if (match[0] === "") continue;
      found.push({ id, start: match.index ?? 0, end: (match.index ?? 0) + match[0].length });
      if (found.length === mostMatches) return found;
    }
  }
  return found;
}

/** The cells with another text in place of one match or of all. In that of a pattern, `$1` is what its first group matched. */
export function replaced(cells: CellView[], wanted: Wanted, by: string, only?: Match): { cells: CellView[]; rewritten: string[]; count: number } {
  const pattern = patternOf(wanted);
  const rewritten: string[] = [];
  let count = 0;
  if (!pattern) return { cells, rewritten, count };
  const changed = cells.map((cell) => {
    if (only && only.id !== cell.id) return cell;
    const { head, body } = partsOf(cell.type, cell.source);
    const meant = [...body.matchAll(pattern)].filter((match) => match[0] !== "" && (!only || match.index === only.start));
    if (meant.length === 0) return cell;
    let [made, end] = ["", 0];
    for (const match of meant) {
      const at = match.index ?? 0;
      made += body.slice(end, at) + (wanted.isPattern ? expanded(by, match) : by);
      end = at + match[0].length;
    }
    count += meant.length;
    rewritten.push(cell.id);
    return { ...cell, source: head + made + body.slice(end) };
  });
  return { cells: changed, rewritten, count };
}

/** What `String.replace` would put in for `$$`, `$&` and `$1`. */
function expanded(text: string, match: RegExpMatchArray): string {
  return text.replace(/\$(\$|&|\d{1,2})/g, (all, name: string) => name === "$" ? "$" : name === "&" ? match[0] : match[Number(name)] ?? all);
}
