// Statements of SQL in one text: where each begins and ends.

export interface Statement { text: string; from: number; to: number }

// What a semicolon inside of it does not end: strings, quoted names, comments.
const parts = /'(?:''|\\[\s\S]|[^'\\])*'?|"(?:\\[\s\S]|[^"\\])*"?|`[^`]*`?|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|;|[^'"`;\-/]+|[\s\S]/g;

function isComment(part: string): boolean { return part.startsWith("--") || part.startsWith("/*"); }

/** The statements of a text, without what is between them. */
export function statementsOf(text: string): Statement[] {
  const found: Statement[] = [];
  let from = 0;
  let isThere = false;
  const end = (at: number) => {
    const one = text.slice(from, at);
    const start = from + (one.length - one.trimStart().length);
    if (isThere) found.push({ text: one.trim(), from: start, to: at });
    isThere = false;
  };
  for (const match of text.matchAll(parts)) {
    const at = match.index ?? 0;
    if (match[0] === ";") {
      end(at);
      from = at + 1;
    } else if (!isComment(match[0]) && match[0].trim() !== "") isThere = true;
  }
  end(text.length);
  return found;
}

/** The first words of a statement, for a list. */
export function headOf(text: string): string {
  const line = text.replace(/--[^\n]*|\/\*[\s\S]*?\*\//g, " ").replace(/\s+/g, " ").trim();
  return line.length > 120 ? `${line.slice(0, 119)}…` : line;
}

/** Statements as a notebook of SQL: a cell for each. */
export function sqlNotebook(statements: string[]): string {
  return `-- Databricks notebook source\n${statements.map((one) => `${one}\n`).join("\n-- COMMAND ----------\n\n")}`;
}
