// Colours for code that is only looked at: Python, SQL and shell. The editor, which is larger, is loaded for editing.
import { ReactNode, memo } from "react";

const python = {
  keywords: new Set(("and as assert async await break class continue def del elif else except finally for from global if import in is "
    + "lambda nonlocal not or pass raise return try while with yield match case").split(" ")),
  names: new Set("True False None self cls spark dbutils display sql print len range str int float list dict set tuple sum min max sorted".split(" ")),
  pattern: /(#[^\n]*)|((?:\b[rbfuRBFU]{1,2})?(?:"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?))|(^%{1,2}\w+[^\n]*|@[\w.]+)|(\b(?:0[xXbBoO][\da-fA-F_]+|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?)\b)|([A-Za-z_]\w*)/gm,
};
const sql = {
  keywords: new Set(("select from where group by order having limit join left right full inner outer cross on as and or not in is null "
    + "like between case when then else end insert into values update set delete create table view temporary replace drop alter with union "
    + "all distinct over partition window rows range asc desc using if exists describe show cache refresh merge matched database schema "
    + "parquet delta csv options cast interval true false").split(" ")),
  names: new Set("count sum avg min max round coalesce count_if row_number rank explode date_trunc to_date".split(" ")),
  pattern: /(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|('(?:''|\\.|[^'\\])*'?|"(?:[^"\\]|\\.)*"?|`[^`]*`?)|(^%{1,2}\w+)|(\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)|([A-Za-z_]\w*)/gm,
};
const shell = {
  keywords: new Set("if then else elif fi for while do done case esac in function return export local set source exit".split(" ")),
  names: new Set("echo cd ls cat grep awk sed curl pip python git mkdir rm cp mv head tail sort uniq wc find".split(" ")),
  pattern: /((?:^|\s)#[^\n]*)|("(?:\\.|[^"\\])*"?|'[^']*'?)|(^%{1,2}\w+|\$\{?\w+\}?)|(\b\d+\b)|([A-Za-z_]\w*)/gm,
};
const grammars: Record<string, typeof python> = { python, py: python, sql, sh: shell, bash: shell, shell };

// Very long texts are shown plain: colours would take longer than reading.
const limit = 60000;

function parts(text: string, language: string): ReactNode[] {
  const grammar = grammars[language];
  if (!grammar || text.length > limit) return [text];
  const all: ReactNode[] = [];
  let start = 0;
  for (const match of text.matchAll(grammar.pattern)) {
    const at = match.index ?? 0;
    const word = match[5];
    let kind: string | undefined;
    if (match[1] !== undefined) kind = "comment";
    else if (match[2] !== undefined) kind = "string";
    else if (match[3] !== undefined) kind = "magic";
    else if (match[4] !== undefined) kind = "number";
    else if (word !== undefined) {
      const known = grammar === sql ? word.toLowerCase() : word;
      if (grammar.keywords.has(known)) kind = "keyword";
      else if (grammar.names.has(known) || text[at + word.length] === "(") kind = "name";
    }
    if (!kind) continue;
    if (at > start) all.push(text.slice(start, at));
    all.push(<span key={all.length} className={`code-${kind}`}>{match[0]}</span>);
    start = at + match[0].length;
  }
  if (start < text.length) all.push(text.slice(start));
  return all;
}

export const Highlighted = memo(function Highlighted({ text, language }: { text: string; language: string }) {
  return <code>{parts(text, language)}</code>;
});
