// Markdown as elements: no HTML of a notebook ever gets into the page.
import { Fragment, ReactNode, useMemo } from "react";
import { Highlighted } from "../code/highlight";
import { Formulas, Lifted } from "./formula";
import { lifted, markPattern } from "./formulas";

const inlinePattern = new RegExp([
  "(`+)(.+?)\\1(?!`)",
  "!\\[([^\\]]*)\\]\\(([^()\\s]+)(?:\\s+\"[^\"]*\")?\\)",
  "\\[([^\\]]+)\\]\\(([^()\\s]+)(?:\\s+\"[^\"]*\")?\\)",
  "(\\*\\*|__)(?=\\S)(.+?)(?<=\\S)\\7",
  "(\\*|_)(?=\\S)([^*_]+?)(?<=\\S)\\9(?!\\w)",
  "~~(.+?)~~",
  "(https?://[^\\s<>()]+[^\\s<>().,;:!?'\"])",
  "\\\\([\\\\`*_{}\\[\\]()#+\\-.!~|$])",
  markPattern,
].join("|"), "g");

/** An address that a link may have; scripts are none. */
function safe(address: string): string | undefined {
  return /^(https?:|mailto:|#|\/(?!\/)|[\w.-]+(\/|$|#))/i.test(address) ? address : undefined;
}

function inline(text: string): ReactNode[] {
  const parts: ReactNode[] = [];
  let start = 0;
  for (const match of text.matchAll(inlinePattern)) {
    const at = match.index ?? 0;
    if (at > start) parts.push(text.slice(start, at));
    start = at + match[0].length;
    const key = parts.length;
    if (match[1] !== undefined) parts.push(<code key={key}>{match[2]}</code>);
    else if (match[4] !== undefined) {
      parts.push(match[4].startsWith("data:image/") ? <img key={key} src={match[4]} alt={match[3] ?? ""} /> : <em key={key}>[{match[3] || "image"}]</em>);
    } else if (match[6] !== undefined) parts.push(anchor(key, match[6], inline(match[5] ?? "")));
    else if (match[7] !== undefined) parts.push(<strong key={key}>{inline(match[8] ?? "")}</strong>);
    else if (match[9] !== undefined) parts.push(<em key={key}>{inline(match[10] ?? "")}</em>);
    else if (match[11] !== undefined) parts.push(<del key={key}>{inline(match[11])}</del>);
    else if (match[12] !== undefined) parts.push(anchor(key, match[12], [match[12]]));
    else if (match[14] !== undefined) parts.push(<Lifted key={key} mark={match[0]} number={Number(match[14])} />);
    else parts.push(match[13] ?? "");
  }
  if (start < text.length) parts.push(text.slice(start));
  return parts;
}

function anchor(key: number, address: string, content: ReactNode[]): ReactNode {
  const to = safe(address);
  if (!to) return <Fragment key={key}>{content}</Fragment>;
  return <a key={key} href={to} rel="noopener noreferrer" target={/^https?:/i.test(to) ? "_blank" : undefined}>{content}</a>;
}

const item = /^(\s*)(?:[-*+]|(\d+)[.)])\s+(.*)$/;

/** One block at the start of the lines, and how many lines it takes. */
function block(lines: string[], key: number): [ReactNode, number] {
  const first = lines[0] ?? "";
  const fence = /^\s*(```+|~~~+)\s*([\w+-]*)/.exec(first);
  if (fence) {
    let end = 1;
    while (end < lines.length && !(lines[end] ?? "").trim().startsWith(fence[1] ?? "```")) end += 1;
    return [<pre key={key} className="md-code"><Highlighted text={lines.slice(1, end).join("\n")} language={fence[2] || "text"} /></pre>, end + 1];
  }
  const heading = /^(#{1,6})\s+(.*?)\s*#*$/.exec(first);
  if (heading) {
    // The page itself has the first level.
    const level = Math.min((heading[1] ?? "#").length + 1, 6);
    const Tag = `h${level}` as "h2";
    return [<Tag key={key} className={`md-h${level - 1}`}>{inline(heading[2] ?? "")}</Tag>, 1];
  }
  if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(first)) return [<hr key={key} />, 1];
  if (first.startsWith(">")) {
    let end = 0;
    while (end < lines.length && /^>|^\S/.test(lines[end] ?? "")) end += 1;
    return [<blockquote key={key}>{blocks(lines.slice(0, end).map((line) => line.replace(/^>\s?/, "")))}</blockquote>, end];
  }
  if (item.test(first)) return list(lines, key);
  if (first.includes("|") && /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/.test(lines[1] ?? "")) return grid(lines, key);
  let end = 1;
  while (end < lines.length && (lines[end] ?? "").trim() && !/^(#{1,6}\s|```|~~~|>)/.test(lines[end] ?? "") && !item.test(lines[end] ?? "")) end += 1;
  const text = lines.slice(0, end).map((line) => line.trim()).join("\n");
  return [<p key={key}>{inline(text)}</p>, end];
}

function list(lines: string[], key: number): [ReactNode, number] {
  const first = item.exec(lines[0] ?? "");
  const indent = first?.[1]?.length ?? 0;
  const items: string[][] = [];
  let end = 0;
  for (; end < lines.length; end += 1) {
    const line = lines[end] ?? "";
    const match = item.exec(line);
    if (match && (match[1]?.length ?? 0) <= indent + 1) items.push([match[3] ?? ""]);
    else if (line.trim() === "") {
      if (!/^\s+\S/.test(lines[end + 1] ?? "") && !item.test(lines[end + 1] ?? "")) break;
      items[items.length - 1]?.push("");
    } else if (/^\s/.test(line) || match) items[items.length - 1]?.push(line.replace(new RegExp(`^\\s{0,${indent + 4}}`), (space) => space.slice(indent + 2)));
    else break;
  }
  const content = items.map((one, index) => {
    const box = /^\[([ xX])\]\s+(.*)$/.exec(one[0] ?? "");
    const rest = box ? [box[2] ?? "", ...one.slice(1)] : one;
    return (
      <li key={index}>
        {box && <input type="checkbox" readOnly disabled checked={box[1] !== " "} aria-label={box[1] === " " ? "to do" : "done"} />}
        {rest.length === 1 ? inline(rest[0] ?? "") : blocks(rest)}
      </li>
    );
  });
  return [first?.[2] !== undefined ? <ol key={key} start={Number(first[2])}>{content}</ol> : <ul key={key}>{content}</ul>, end];
}

function grid(lines: string[], key: number): [ReactNode, number] {
  const cells = (line: string) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
  let end = 2;
  while (end < lines.length && (lines[end] ?? "").includes("|")) end += 1;
  return [
    <div key={key} className="data-scroll" tabIndex={0} role="region" aria-label="Table"><table className="data-table">
      <thead><tr>{cells(lines[0] ?? "").map((cell, index) => <th key={index} scope="col">{inline(cell)}</th>)}</tr></thead>
      <tbody>{lines.slice(2, end).map((line, row) => <tr key={row}>{cells(line).map((cell, index) => <td key={index}>{inline(cell)}</td>)}</tr>)}</tbody>
    </table></div>, end];
}

function blocks(lines: string[]): ReactNode[] {
  const all: ReactNode[] = [];
  let rest = lines;
  while (rest.length > 0) {
    if (!(rest[0] ?? "").trim()) { rest = rest.slice(1); continue; }
    const [node, count] = block(rest, all.length);
    all.push(node);
    rest = rest.slice(Math.max(1, count));
  }
  return all;
}

export function Markdown({ text }: { text: string }) {
  const { text: rest, formulas } = useMemo(() => lifted(text.replace(/\r\n?/g, "\n")), [text]);
  return <Formulas.Provider value={formulas}><div className={formulas.length > 0 ? "md with-formulas" : "md"}>{blocks(rest.split("\n"))}</div></Formulas.Provider>;
}
