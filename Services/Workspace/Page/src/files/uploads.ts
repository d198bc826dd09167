// Files on their way into the tree. They go on while the user looks at other pages, wait for a lost connection, and after
// a reload go on where they were when the same file is chosen again.
import { ApiError, call, send } from "../api/client";
import { connection } from "../api/connection";
import type { FileUpload, ImportedFolder, ObjectInfo } from "../api/generated/contract";
import { hexadecimal } from "../app/ids";
import { atFreePath, importNotebook, isNotebook } from "./notebooks";

export interface Transfer {
  id: number;
  name: string;
  folder: string;
  size: number;
  sent: number;
  state: "waiting" | "sending" | "offline" | "finishing" | "done" | "failed";
  /** Where it went on, when it had been broken off before. */
  resumedAt?: number;
  object?: ObjectInfo;
  problem?: string;
  /** A zip archive that is unpacked into its folder. */
  unpacks?: boolean;
  /** Whether what is in the way gets a new revision; asked for once it turned out to be there. */
  overwrites?: boolean;
  /** Nothing was imported because of what is there already. */
  isInTheWay?: boolean;
  /** What came of it. */
  result?: string;
}

/** How many files go at a time: more would share one connection and all be late. */
const parallel = 2;

let transfers: Transfer[] = [];
let last = 0;
const files = new Map<number, File>();
const stops = new Map<number, AbortController>();
const listeners = new Set<() => void>();
const whenDone = new Set<(folder: string) => void>();

export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => { listeners.delete(listener); };
}

export function current(): Transfer[] { return transfers; }

/** Tells of each file that has arrived in a folder. */
export function onArrival(action: (folder: string) => void): () => void {
  whenDone.add(action);
  return () => { whenDone.delete(action); };
}

function change(id: number, values: Partial<Transfer>): void {
  transfers = transfers.map((one) => (one.id === id ? { ...one, ...values } : one));
  for (const listener of [...listeners]) listener();
}

export function bring(chosen: Iterable<File>, folder: string, unpacks = false): void {
  for (const file of chosen) {
    last += 1;
    files.set(last, file);
    transfers = [...transfers, { id: last, name: file.name, folder, size: file.size, sent: 0, state: "waiting", unpacks }];
  }
  change(0, {});
  startNext();
}

/** Stops a transfer and throws away what has come of it. */
export function cancel(id: number): void {
  stops.get(id)?.abort();
  dismiss(id);
}

export function retry(id: number, overwrites = false): void {
  change(id, { state: "waiting", problem: undefined, overwrites, isInTheWay: false });
  startNext();
}

export function dismiss(id: number): void {
  const [one, file] = [transfers.find((other) => other.id === id), files.get(id)];
  // An archive that was refused is there for another try, which there will not be.
  if (one?.unpacks && file) forget(one, file);
  files.delete(id);
  transfers = transfers.filter((one) => one.id !== id);
  change(0, {});
}

export function dismissDone(): void {
  for (const one of transfers) if (one.state === "done" || one.state === "failed") dismiss(one.id);
}

function isActive(one: Transfer): boolean { return one.state === "sending" || one.state === "offline" || one.state === "finishing"; }

function startNext(): void {
  for (const one of transfers) {
    const active = transfers.filter(isActive);
    if (active.length >= parallel) return;
    const file = files.get(one.id);
    // Of one name one at a time: the next then sees that the name is taken.
    const isBefore = active.some((other) => other.folder === one.folder && other.name === one.name);
    if (one.state === "waiting" && file && !isBefore) void run(one, file);
  }
}

async function run(one: Transfer, file: File): Promise<void> {
  const stop = new AbortController();
  stops.set(one.id, stop);
  change(one.id, { state: "sending" });
  try {
    const object = one.unpacks ? await unpack(one, file, stop.signal) : isNotebook(file)
      ? await importNotebook(file, one.folder, stop.signal) : await sendFile(one, file, stop.signal);
    change(one.id, { state: "done", sent: file.size, object });
    files.delete(one.id);
    for (const action of [...whenDone]) action(one.folder);
  } catch (error) {
    if (!stop.signal.aborted) change(one.id, { state: "failed", ...failureOf(one, error) });
  } finally {
    stops.delete(one.id);
    startNext();
  }
}

function failureOf(one: Transfer, error: unknown): Partial<Transfer> {
  const problem = error instanceof Error ? error.message : String(error);
  const isInTheWay = one.unpacks && !one.overwrites && error instanceof ApiError && error.code === "RESOURCE_ALREADY_EXISTS";
  // The first line tells programs what to send.
  return isInTheWay ? { isInTheWay, problem: ["Nothing was imported, for there is already:", ...problem.split("\n").slice(1)].join("\n") } : { problem };
}

// MARK: One file

/** The same file of the user's in the same folder, as far as a browser can tell. */
function mark(file: File, folder: string): string { return `upload:${folder}/${file.name}:${file.size}:${file.lastModified}`; }

async function begin(file: File, folder: string, signal: AbortSignal): Promise<FileUpload> {
  const known = localStorage.getItem(mark(file, folder));
  if (known) {
    try {
      const upload = await patiently(() => call("getUpload", { upload_id: known }, signal), signal);
      if (upload.state === "OPEN") return upload;
    } catch (error) {
      if (!(error instanceof ApiError) || signal.aborted) throw error;
    }
    localStorage.removeItem(mark(file, folder));
  }
  const upload = await atFreePath(folder, file.name, (path) =>
    patiently(() => call("createUpload", { body: { path, size: file.size } }, signal), signal));
  localStorage.setItem(mark(file, folder), upload.upload_id);
  return upload;
}

/** Sends all bytes of a file, or the rest of them; the second value throws away what has come. */
async function sendBytes(one: Transfer, file: File, signal: AbortSignal): Promise<[id: string, discard: () => void]> {
  let upload = await begin(file, one.folder, signal);
  const id = upload.upload_id;
  const discard = () => {
    localStorage.removeItem(mark(file, one.folder));
    call("abortUpload", { upload_id: id }).catch(() => undefined);
  };
  signal.addEventListener("abort", discard);
  if (upload.offset > 0) change(one.id, { resumedAt: upload.offset });
  let failures = 0;
  while (upload.offset < file.size) {
    const start = upload.offset;
    change(one.id, { state: "sending", sent: start });
    try {
      const piece = await bytesOf(file, start, start + upload.chunk_size);
      upload = await send("writeUpload", { upload_id: id, offset: start, sha256: await checksumOf(piece) }, piece,
        (sent) => change(one.id, { sent: Math.min(file.size, start + sent) }), signal);
      failures = 0;
    } catch (error) {
      failures += 1;
      // What came as something else on the way is sent again.
      const passes = error instanceof ApiError
        && (error.isPassing || error.status === 504 || error.code === "RESOURCE_CONFLICT" || error.code === "CHECKSUM_MISMATCH");
      if (!passes || failures > 8) throw error;
      change(one.id, { state: "offline", sent: start });
      await pause(failures);
      await connection.whenOnline(signal);
      upload = await patiently(() => call("getUpload", { upload_id: id }, signal), signal);
      if (upload.offset > start) failures = 0;
    }
  }
  change(one.id, { state: "finishing", sent: file.size });
  return [id, discard];
}

async function bytesOf(file: File, start: number, end: number): Promise<ArrayBuffer> {
  try { return await file.slice(start, end).arrayBuffer(); } catch {
    throw new Error(`${file.name} cannot be read any more: it was changed, moved or deleted meanwhile. Choose it again.`);
  }
}

/** What the server is to find in the bytes that it keeps. Pages that came over plain HTTP from another machine cannot say it. */
async function checksumOf(piece: ArrayBuffer): Promise<string | undefined> {
  if (!(crypto.subtle as SubtleCrypto | undefined)) return undefined;
  return hexadecimal(new Uint8Array(await crypto.subtle.digest("SHA-256", piece)));
}

async function sendFile(one: Transfer, file: File, signal: AbortSignal): Promise<ObjectInfo> {
  const [id, discard] = await sendBytes(one, file, signal);
  try {
    const object = await patiently(() => call("completeUpload", { upload_id: id }, signal), signal);
    localStorage.removeItem(mark(file, one.folder));
    return object;
  } catch (error) {
    // Somebody else has taken the name meanwhile; it goes once more, under the next one.
    if (!(error instanceof ApiError) || error.code !== "RESOURCE_ALREADY_EXISTS") throw error;
    discard();
    return await sendFile(one, file, signal);
  } finally {
    signal.removeEventListener("abort", discard);
  }
}

/** Sends an archive and has it unpacked; when it is refused, it stays there for another try. */
async function unpack(one: Transfer, file: File, signal: AbortSignal): Promise<ObjectInfo> {
  const [id, discard] = await sendBytes(one, file, signal);
  try {
    const done = await patiently(() =>
      call("importFolder", { body: { upload_id: id, path: one.folder, overwrite: one.overwrites } }, signal), signal);
    localStorage.removeItem(mark(file, one.folder));
    change(one.id, { result: resultWords(done) });
    return done.folder;
  } finally {
    signal.removeEventListener("abort", discard);
  }
}

function counted(count: number, word: string): string { return `${count} ${word}${count === 1 ? "" : "s"}`; }

function resultWords(done: ImportedFolder): string {
  const what = done.notebooks === undefined
    ? `Unpacked in ${done.folder.path}` : `${counted(done.notebooks, "notebook")} and ${counted(done.files ?? 0, "file")} in ${done.folder.path}`;
  return [done.unchanged ? `${what}, ${done.unchanged} unchanged` : what, ...done.notes ?? []].join("\n");
}

function forget(one: Transfer, file: File): void {
  const id = localStorage.getItem(mark(file, one.folder));
  if (!id || one.state !== "failed") return;
  localStorage.removeItem(mark(file, one.folder));
  call("abortUpload", { upload_id: id }).catch(() => undefined);
}

/** The longer, the more often something has failed. */
function pause(failures: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, Math.min(250 * 2 ** failures, 5000)); });
}

/** Asks again whenever the connection is back; everything that is asked so may be asked twice. */
async function patiently<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let count = 0; ; count += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof ApiError) || !error.isPassing || count > 20) throw error;
      await pause(count);
      await connection.whenOnline(signal);
    }
  }
}

// Leaving ends what is under way; the browser asks first.
addEventListener("beforeunload", (event) => { if (transfers.some(isActive)) event.preventDefault(); });
