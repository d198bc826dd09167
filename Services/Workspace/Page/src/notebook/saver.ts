// Saves a notebook soon after it changed, and never over what somebody else has saved meanwhile. What is not saved yet is kept
// in the browser; whoever goes to another page leaves saving to go on.
import { useEffect, useMemo, useSyncExternalStore } from "react";
import { ApiError, call, callAtLast, isRefusal, isSignedIn } from "../api/client";
import { connection } from "../api/connection";
import type { Json } from "../api/generated/contract";
import { tabID } from "../api/live";
import { treeAddress, navigate } from "../app/router";
import { Keeper, edits } from "../drafts/unsaved";
import { toast } from "../ui/toast";
import type { NotebookDraft } from "./draft";
import { type Action, type Happening, type SaveState, next, saved } from "./saving";
import type { NotebookStore } from "./store";

/** How much comes of outputs when a notebook is opened: of one output, and of all cells from the top. The rest is asked for. */
export const shownOutputs = { output_limit: 65_536, output_total: 2_000_000 };

/** Text of any length as base64 of its UTF-8. */
export function base64(text: string): string {
  const all = new TextEncoder().encode(text);
  let binary = "";
  for (let start = 0; start < all.length; start += 0x8000) binary += String.fromCharCode(...all.subarray(start, start + 0x8000));
  return btoa(binary);
}

export interface Saver {
  state: SaveState;
  problem?: string;
  save: () => Promise<boolean>;
  /** The conflict is settled, or the notebook is there again: saving goes on. */
  settle: () => void;
  /** The notebook turned out to be gone. */
  miss: () => void;
  /** Drafts whose text is here now. */
  adopt: (drafts: string[]) => void;
  /** What is here is saved elsewhere: there is nothing to keep. */
  forget: () => void;
}

const read = (store: NotebookStore) => call("getNotebook", { notebook_id: store.notebookID, ...shownOutputs });

/** Saves what is here now, on top of what others have saved. */
async function saveOnce(store: NotebookStore, isLast: boolean): Promise<void> {
  if (store.isUnsure) {
    // What the server has of us already is nobody else's, and what was written since goes on top of it.
    const content = await read(store);
    if (content.revision_id > store.state.revisionID) store.mergeIn(content);
  }
  const pending = store.pending();
  const before = store.state.revisionID;
  const lost = (error: unknown) => { store.lose(pending.document); throw error; };
  const done = await (isLast ? callAtLast : call)("saveNotebook", {
    notebook_id: store.notebookID, body: {
      base_revision_id: before, document: pending.document as unknown as Json, cleared_cell_ids: pending.cleared,
      restored_revision_id: pending.restored, client_id: tabID,
    },
    // Only a refusal says that nothing was saved.
  }).catch((error: unknown) => { if (isRefusal(error)) throw error; return lost(error); });
  // What others have changed is in it as well: it has to be here before anything is saved on top of it.
  const content = done.is_merged ? await read(store).catch(lost) : undefined;
  pending.done(done.revision_id);
  // What was written meanwhile is in the way: the server will say so, instead of overwriting theirs.
  if (content && !store.mergeIn(content)) store.rebase(before);
}

/** A page that a notebook stands behind. */
export interface Shown { name: string; address: string }

/** Notebooks that were left before they were saved, by their ids. */
const left = new Map<number, NotebookSaver>();

/** Ends what is still done for a notebook that was left; what it could not save is in its draft. */
export async function leaveOff(notebookID: number): Promise<void> {
  const saver = left.get(notebookID);
  if (!saver) return;
  await saver.working;
  if (left.get(notebookID) === saver) saver.end();
}

/** Does what `saving.ts` decides, for as long as a notebook is open and until it is saved. */
export class NotebookSaver implements Omit<Saver, "state" | "problem"> {
  now = saved;
  working: Promise<boolean> | undefined;
  private readonly keeper: Keeper<NotebookDraft> | undefined;
  private isLast = false;
  private seen: number;
  private timer: number | undefined;
  private readonly listeners = new Set<() => void>();
  private stops: Array<() => void> = [];

  /**
   * @param user whose draft is kept; none where nothing is to come back.
   * @param page where the notebook is shown, and as what, where that is no page of its own.
   */
  constructor(private readonly store: NotebookStore, user: string | undefined, isConflict = false, private readonly page?: Shown) {
    this.seen = store.state.savedVersion;
    if (isConflict) [this.now] = next(this.now, { kind: "conflict" });
    this.keeper = user === undefined ? undefined : new Keeper(
      { user, kind: "notebook", id: String(store.notebookID) }, () => {
        const content = store.isDirty ? store.draft() : undefined;
        return content && { path: store.path, content };
      });
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => { this.listeners.delete(listener); };
  };

  private get name(): string { return this.page?.name ?? this.store.path.split("/").pop() ?? this.store.path; }

  private take(happening: Happening): void {
    const [now, actions] = next(this.now, happening);
    this.now = now;
    for (const one of actions) this.do(one);
    for (const listener of [...this.listeners]) listener();
  }

  private do(action: Action): void {
    switch (action.kind) {
      case "send": this.send(); break;
      case "keep": this.keeper?.soon(); break;
      case "drop": this.keeper?.drop(); break;
      default:
        clearTimeout(this.timer);
        this.timer = window.setTimeout(() => this.take({ kind: "due" }), action.delay);
    }
  }

  private send(): void {
    clearTimeout(this.timer);
    const { store } = this;
    const work = saveOnce(store, this.isLast).then((): Happening => ({ kind: "saved", isDirty: store.isDirty }), async (error: unknown) => {
      if (!(error instanceof ApiError)) return { kind: "refused", problem: String(error) } as const;
      if (error.code === "RESOURCE_CONFLICT") {
        // Whose text was changed by one alone stays, also where the other has deleted the cell: both come together here.
        const content = await read(store).catch(() => undefined);
        return content && content.revision_id > store.state.revisionID && store.mergeIn(content) ? { kind: "settled", isDirty: store.isDirty } as const
          : { kind: "conflict" } as const;
      }
      if (error.status === 404) return { kind: "gone" } as const;
      return error.isPassing ? { kind: "missed" } as const : { kind: "refused", problem: error.message } as const;
    }).then((happening): boolean | Promise<boolean> => {
      this.working = store.saving = undefined;
      this.take(happening);
      return this.working ?? (happening.kind === "saved" || (happening.kind === "settled" && !happening.isDirty));
    });
    this.working = store.saving = work;
  }

  save = (): Promise<boolean> => {
    if (this.now.state === "conflict") return Promise.resolve(false);
    if (this.working) return this.working.then((isSaved) => isSaved && this.store.isDirty ? this.save() : isSaved);
    if (!this.store.isDirty) return Promise.resolve(true);
    this.take({ kind: "asked" });
    return this.working ?? Promise.resolve(false);
  };

  settle = (): void => { this.take({ kind: "settled", isDirty: this.store.isDirty }); };
  miss = (): void => { if (!this.working) this.take({ kind: "gone" }); };
  /** What was brought back is this tab's to keep from now on. */
  adopt = (drafts: string[]): void => { if (this.keeper) this.keeper.adopt(drafts); };
  forget = (): void => { this.store.forget(); this.take({ kind: "saved", isDirty: false }); };

  /** Follows what is typed. */
  open(): void {
    const { store } = this;
    this.keeper?.open();
    const look = () => {
      if (store.state.version === this.seen || !store.isDirty) return;
      this.seen = store.state.version;
      this.take({ kind: "typed" });
    };
    const hide = () => { if (document.hidden) this.saveAtLast(); };
    const leave = (event: BeforeUnloadEvent) => {
      if (!store.isDirty) return;
      this.saveAtLast();
      // What the browser keeps is back after a reload; only what it could not keep is worth a question.
      if (this.keeper?.isKept !== true) event.preventDefault();
    };
    document.addEventListener("visibilitychange", hide);
    addEventListener("beforeunload", leave);
    addEventListener("pagehide", this.saveAtLast);
    this.stops = [
      () => document.removeEventListener("visibilitychange", hide), () => removeEventListener("beforeunload", leave),
      () => removeEventListener("pagehide", this.saveAtLast), store.subscribe(look),
      connection.subscribe(() => { if (connection.isOnline) this.take({ kind: "online" }); }),
      edits({ name: this.name, isDirty: () => store.isDirty, save: this.save, savesItself: true, keep: () => this.keeper?.now() }),
    ];
    look();
  }

  /** The page may be gone in a moment. */
  private saveAtLast = (): void => {
    if (!this.store.isDirty) return;
    this.keeper?.now();
    this.isLast = true;
    if (!this.working) void this.save();
    this.isLast = false;
  };

  /** The notebook is left: what is not saved goes on being saved, and is told when that does not work. */
  close(): void {
    const { store } = this;
    if (!store.isDirty) { this.end(); return; }
    this.keeper?.now();
    if (!isSignedIn()) { this.end(); return; }
    left.set(store.notebookID, this);
    void this.save().then((isSaved) => {
      if (isSaved || left.get(store.notebookID) !== this) { this.end(); return; }
      toast(this.lastWords(), this.keeper && !this.keeper.isKept ? "bad" : "plain",
        { text: "Go back", run: () => navigate(this.page?.address ?? treeAddress(store.path)) });
      if (this.now.state !== "waiting") { this.end(); return; }
      const stop = this.subscribe(() => { if (this.now.state !== "waiting" && this.now.state !== "saving") this.end(); });
      this.stops.push(stop);
    });
  }

  /** What whoever leaves is told of what is not saved. */
  private lastWords(): string {
    const isWaiting = this.now.state === "waiting";
    if (!this.keeper) return `What you ran in ${this.name} is not saved yet${isWaiting ? ". It is as soon as the server is back." : "."}`;
    const what = `What you typed in ${this.name} is not saved yet`;
    if (!this.keeper.isKept) return `${what}, and too long to be kept.`;
    return `${what}. This browser keeps it${isWaiting ? ", and it is saved as soon as the server is back." : "."}`;
  }

  end(): void {
    if (left.get(this.store.notebookID) === this) left.delete(this.store.notebookID);
    clearTimeout(this.timer);
    for (const stop of this.stops) stop();
    this.stops = [];
    this.keeper?.close();
  }
}

/** @param user whose draft is kept in the browser; none where nothing is to come back. */
export function useSaver(store: NotebookStore, user?: string, isConflict = false, page?: Shown): Saver {
  const saver = useMemo(() => new NotebookSaver(store, user, isConflict, page), [store, user, isConflict, page]);
  const now = useSyncExternalStore(saver.subscribe, () => saver.now);
  useEffect(() => {
    saver.open();
    return () => saver.close();
  }, [saver]);
  return useMemo(() => {
    const { save, settle, miss, adopt, forget } = saver;
    return { state: now.state, problem: now.problem, save, settle, miss, adopt, forget };
  }, [now, saver]);
}
