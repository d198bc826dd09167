// Sends what was filled in, with the browser's session, and tells what came back.
import { sendAsWritten } from "../api/client";
import type { Operation } from "./document";

export interface Answer {
  status: number;
  statusText: string;
  milliseconds: number;
  headers: Array<[string, string]>;
  text: string;
  bytes: number;
  isCut: boolean;
  isEnded: boolean;
}

/** More of an answer is not shown: it is there to be looked at. */
const shownCharacters = 200000;

/** The address with its parameters; what is empty is left out. */
export function addressOf(operation: Operation, values: Record<string, string>): string {
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ""));
  const query = new URLSearchParams();
  for (const one of operation.parameters) {
    const value = values[one.name];
    if (one.in === "query" && value) query.set(one.name, value);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/** The parameters in the path that are still missing. */
export function missingOf(operation: Operation, values: Record<string, string>): string[] {
  return operation.parameters.filter((one) => one.required && !values[one.name]).map((one) => one.name);
}

function quoted(text: string): string { return `'${text.replace(/'/g, "'\\''")}'`; }

/** The same request for a terminal; the token is read there, so that it is on no screen. */
export function curlOf(operation: Operation, values: Record<string, string>, body: string | undefined): string {
  const parts = [operation.method === "GET" ? "curl" : `curl -X ${operation.method}`];
  if (operation.isStream) parts[0] += " -N";
  parts.push('-H "Authorization: Bearer $HARBOUR_TOKEN"');
  if (body !== undefined) parts.push(`-H 'Content-Type: application/json'`, `-d ${quoted(body)}`);
  parts.push(quoted(location.origin + addressOf(operation, values)));
  return parts.join(" \\\n  ");
}

/** Sends it; `tell` hears of every piece of the answer. */
export async function attempt(
  operation: Operation, values: Record<string, string>, body: string | undefined, signal: AbortSignal, tell: (answer: Answer) => void
): Promise<void> {
  const begin = performance.now();
  const response = await sendAsWritten(operation.method, addressOf(operation, values), body, signal);
  const answer: Answer = {
    status: response.status, statusText: response.statusText, milliseconds: performance.now() - begin,
    headers: [...response.headers], text: "", bytes: 0, isCut: false, isEnded: false,
  };
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const part = await reader?.read();
      if (!part || part.done) break;
      answer.bytes += part.value.length;
      if (answer.text.length < shownCharacters) answer.text += decoder.decode(part.value, { stream: true });
      if (answer.text.length > shownCharacters) {
        answer.text = answer.text.slice(0, shownCharacters);
        answer.isCut = true;
      }
      if (operation.isStream) tell({ ...answer });
    }
  } catch (error) {
    // A stream that somebody stopped has been shown so far.
    if (!signal.aborted) throw error;
  } finally { reader?.cancel().catch(() => undefined); }
  tell({ ...answer, milliseconds: performance.now() - begin, text: pretty(answer), isEnded: true });
}

function pretty(answer: Answer): string {
  const isJSON = answer.headers.some(([name, value]) => name === "content-type" && /^application\/json\b/.test(value));
  return isJSON && !answer.isCut ? indented(answer.text) : answer.text;
}

/** JSON with line ends. The text itself is worked on, because numbers of 64 bits do not survive a parser of JavaScript's. */
export function indented(text: string): string {
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  return text.trim().replace(/"(?:\\.|[^"\\])*"|([{[])\s*([}\]])?|([}\]])|(,)|(:)|\s+/g, (all, open, empty, close, comma, colon) => {
    if (open && empty) return open + empty;
    if (open) { depth += 1; return open + line(); }
    if (close) { depth = Math.max(0, depth - 1); return line() + close; }
    if (comma) return `,${line()}`;
    if (colon) return ": ";
    return all.startsWith('"') ? all : "";
  });
}
