// Calls of the contract's operations, each with the types that the OpenAPI documents give it.
import { Operations, Route, Session, routes } from "./generated/contract";
import { connection } from "./connection";

type Name = keyof Operations;
export type CallName = { [K in Name]: Operations[K]["kind"] extends "call" ? K : never }[Name];
export type RawName = { [K in Name]: Operations[K]["kind"] extends "raw" ? K : never }[Name];
export type Input<K extends Name> = Operations[K]["input"];
export type Output<K extends Name> = Operations[K]["output"];

/** What a request failed with: the code to decide on, and a sentence to show. */
export class ApiError extends Error {
  constructor(readonly code: string, message: string, readonly status: number, readonly requestID?: string) {
    super(message);
  }

  /** The server was not reached, or is restarting: the same request may do later. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 503;
  }
}

/** Whether the server has said that it did nothing; without that a change may have been made, though the answer was lost. */
export function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && error.status >= 400 && error.status < 500;
}

let csrfToken = "";
let whenSignedOut: () => void = () => undefined;
let whenSignedIn: (session: Session) => void = () => undefined;
/** Of what a request may still send when its page goes, browsers take 64 KiB, all requests together. */
const lastBytes = 60_000;

/** Whether there is somebody who could send something. */
export function isSignedIn(): boolean { return csrfToken !== ""; }

/** What every change is sent with; kept in memory only. */
export function setCSRFToken(token: string): void { csrfToken = token; }

/** What to do when it turns out to be another one: somebody has signed in elsewhere in this browser. */
export function onSignedIn(action: (session: Session) => void): void { whenSignedIn = action; }

/** What to do when the session turns out to have ended. */
export function onSignedOut(action: () => void): void { whenSignedOut = action; }

/** The address of an operation with its parameters, for links and pictures too. */
export function addressOf<K extends Name>(name: K, input: Omit<Input<K>, "body">): string {
  return address(routes[name], input as Record<string, unknown>);
}

function address(route: Route, input: Record<string, unknown>): string {
  const query = new URLSearchParams();
  for (const name of route.query) {
    const value = input[name];
    if (value !== undefined && value !== null) query.set(name, String(value));
  }
  const path = route.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(input[name])));
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

function request(route: Route, input: Record<string, unknown>, signal?: AbortSignal, isLast = false): Promise<Response> {
  const headers: Record<string, string> = {};
  if (route.method !== "GET") headers["x-csrf-token"] = csrfToken;
  let body: string | undefined;
  if (input.body !== undefined) {
    headers["content-type"] = "application/json";
    body = JSON.stringify(input.body);
  }
  const keepalive = isLast && body !== undefined && new TextEncoder().encode(body).length <= lastBytes;
  return fetch(address(route, input), {
    method: route.method, headers, body, signal, keepalive, cache: "no-store", credentials: "same-origin",
  });
}

/** Sends what a person wrote, as they are signed in; whatever comes back is for them to read. */
export async function sendAsWritten(method: string, address: string, body: string | undefined, signal: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = {};
  if (method !== "GET") headers["x-csrf-token"] = csrfToken;
  if (body !== undefined) headers["content-type"] = "application/json";
  try {
    return await fetch(address, { method, headers, body, signal, cache: "no-store", credentials: "same-origin" });
  } catch (error) {
    if (signal.aborted) throw error;
    void connection.check();
    throw new ApiError("UNREACHABLE", "DataHarbour cannot be reached right now.", 0);
  }
}

function failure(status: number, text: string): ApiError {
  try {
    const body = JSON.parse(text);
    return new ApiError(body.error_code ?? "UNKNOWN", body.message ?? `The server answered ${status}.`, status, body.request_id);
  } catch {
    return new ApiError("UNKNOWN", `The server answered ${status}.`, status);
  }
}

function endSession(): void {
  csrfToken = "";
  whenSignedOut();
}

/** What to say of a request that broke. One is no outage: what waits for the end of one would begin again at once. */
async function broken(signal: AbortSignal | undefined, error: unknown): Promise<unknown> {
  if (!signal?.aborted) await connection.check();
  return signal?.aborted ? error : new ApiError("UNREACHABLE", "DataHarbour cannot be reached right now.", 0);
}

async function answer(name: Name, input: Record<string, unknown>, signal?: AbortSignal, isLast = false): Promise<Response> {
  const sentWith = csrfToken;
  let response: Response;
  try {
    response = await request(routes[name], input, signal, isLast);
  } catch (error) {
    throw await broken(signal, error);
  }
  connection.reached();
  if (response.ok) return response;
  const error = failure(response.status, await response.text().catch(() => ""));
  // What was sent in a session that has ended says nothing about the one that has begun since.
  const isOfThisSession = sentWith === csrfToken;
  if (error.status === 401 && isOfThisSession && name !== "createSession" && name !== "getSession") endSession();
  throw error;
}

/** What was answered; an answer that is cut off is none. */
async function bodyOf<T>(response: Response, signal?: AbortSignal): Promise<T> {
  try { return await response.json() as T; } catch (error) {
    if (error instanceof SyntaxError) throw error;
    throw await broken(signal, error);
  }
}

/** Asks whether whoever has signed in still is, and says so to the page when not. */
export async function checkSession(): Promise<void> {
  const sentWith = csrfToken;
  const isOfThisSession = () => sentWith !== "" && sentWith === csrfToken;
  await call("getSession").then((session) => {
    if (isOfThisSession() && session.csrf_token !== sentWith) whenSignedIn(session);
  }, (error: unknown) => {
    if (error instanceof ApiError && error.status === 401 && isOfThisSession()) endSession();
  });
}

/** Calls an operation once, and if it fits also when the page is about to go: then nobody hears the answer. */
export async function callAtLast<K extends CallName>(name: K, input: Input<K>): Promise<Output<K>> {
  return await bodyOf(await answer(name, input as Record<string, unknown>, undefined, true));
}

/** Calls an operation once. */
export async function call<K extends CallName>(
  name: K, ...[input, signal]: Record<string, never> extends Input<K> ? [Input<K>?, AbortSignal?] : [Input<K>, AbortSignal?]
): Promise<Output<K>> {
  return await bodyOf(await answer(name, (input ?? {}) as Record<string, unknown>, signal), signal);
}

/** Sends bytes and tells how many have gone; only XMLHttpRequest says that. */
export function send<K extends RawName>(
  name: K, input: Input<K>, body: Blob | ArrayBuffer, onProgress: (sent: number) => void, signal: AbortSignal
): Promise<Output<K>> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const aborted = new DOMException("stopped", "AbortError");
    // Of a request that was not sent, nobody hears that it was aborted.
    if (signal.aborted) { reject(aborted); return; }
    const stop = () => request.abort();
    const fail = () => { void broken(signal, aborted).then(reject); };
    request.open(routes[name].method, address(routes[name], input as Record<string, unknown>));
    const sentWith = csrfToken;
    request.setRequestHeader("x-csrf-token", sentWith);
    request.setRequestHeader("content-type", "application/octet-stream");
    request.upload.onprogress = (event) => onProgress(event.loaded);
    request.onabort = () => reject(aborted);
    request.onerror = fail;
    request.ontimeout = fail;
    request.onload = () => {
      connection.reached();
      if (request.status === 200) return resolve(JSON.parse(request.responseText) as Output<K>);
      if (request.status === 401 && sentWith === csrfToken) endSession();
      reject(failure(request.status, request.responseText));
    };
    request.onloadend = () => signal.removeEventListener("abort", stop);
    signal.addEventListener("abort", stop);
    request.send(body);
  });
}

/** All pages of a list, up to a limit that no person reads beyond. */
export async function pages<T>(
  next: (token: string | undefined) => Promise<{ items: T[]; token?: string }>, limit = 1000
): Promise<T[]> {
  const all: T[] = [];
  let token: string | undefined;
  do {
    const page = await next(token);
    all.push(...page.items);
    token = page.token;
  } while (token && all.length < limit);
  return all;
}
