// What a kernel knows of how code goes on, as Monaco lists it.
import type { Completion, CompletionMatch } from "../../api/generated/contract";

/** Code units of JavaScript to code points, in which kernels count. */
export function pointsIn(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** The other way round. */
export function unitsOf(text: string, points: number): number {
  let units = 0;
  let left = points;
  for (const point of text) {
    if (left === 0) break;
    left -= 1;
    units += point.length;
  }
  return units;
}

/** The piece of a text that a completion takes the place of, in code units. */
export function pieceOf(text: string, found: Completion, cursor: number): { from: number; to: number } {
  const from = Math.min(unitsOf(text, found.cursor_start), cursor);
  return { from, to: Math.max(cursor, unitsOf(text, found.cursor_end)) };
}

export function listOf(model: monaco.editor.ITextModel, found: Completion, cursor: number): monaco.languages.CompletionList {
  const text = model.getValue(monaco.editor.EndOfLinePreference.LF);
  const { from, to } = pieceOf(text, found, cursor);
  const range = monaco.Range.fromPositions(model.getPositionAt(from), model.getPositionAt(to));
  // Monaco can only fill in within a line.
  if (range.startLineNumber !== range.endLineNumber) return { suggestions: [] };
  const typed = text.slice(from, cursor);
  return { suggestions: found.matches.map((match, index) => suggestion(match, range, typed, index)), incomplete: found.truncated ?? false };
}

function suggestion(match: CompletionMatch, range: monaco.IRange, typed: string, index: number): monaco.languages.CompletionItem {
  // IPython takes the dot before an attribute for a part of its name.
  const label = match.text.replace(/^\.(?=\w)/, "");
  const isLikeTyped = match.text.toLowerCase().startsWith(typed.toLowerCase());
  return {
    label: { label, ...(match.signature ? { detail: match.signature } : {}), ...(match.type ? { description: match.type } : {}) },
    kind: kindOf(match.type), insertText: match.text, range, sortText: String(index).padStart(6, "0"),
    // The kernel's own choice may differ in letters from what was typed; Monaco would leave it out.
    filterText: isLikeTyped ? match.text : typed,
  };
}

function kindOf(type: string | undefined): monaco.languages.CompletionItemKind {
  const kinds = monaco.languages.CompletionItemKind;
  switch (type) {
    case "function": return kinds.Function;
    case "module": return kinds.Module;
    case "class": return kinds.Class;
    case "keyword": return kinds.Keyword;
    case "property": return kinds.Property;
    case "param": return kinds.Variable;
    case "path": return kinds.File;
    case "table": case "view": return kinds.Struct;
    case "column": return kinds.Field;
    case "database": case "schema": case "catalog": return kinds.Folder;
    case "magic": return kinds.Event;
    default: return kinds.Variable;
  }
}
