// Runs cells on a cluster. The cluster does the work and keeps each cell's outputs, so that a page that was closed or cut
// off takes them up where it left: which command belongs to which cell is remembered until the outputs are saved.
import { ApiError, call } from "../api/client";
import { follow } from "../api/follow";
import type { CommandEvent } from "../api/generated/contract";
import { Output, withEvent } from "../output/mime";
import { isAlive } from "../pages/cluster-parts";
import { magicOf } from "./document";
import type { NotebookStore, RunState } from "./store";

interface Memory { cluster?: string; context?: string; commands: Record<string, string> }

export type KernelState = "none" | "starting" | "ready" | "busy" | "lost";

export interface RunnerState { cluster?: string; kernel: KernelState; problem?: string; queue: string[] }

export class Runner {
  state: RunnerState = { kernel: "none", queue: [] };
  private memory: Memory;
  private readonly key: string;
  private listeners = new Set<() => void>();
  private isWorking = false;
  private controller = new AbortController();

  constructor(private readonly store: NotebookStore) {
    this.key = `harbour.notebook.${store.notebookID}`;
    this.memory = { commands: {} };
    try {
      const kept = localStorage.getItem(this.key);
      if (kept) this.memory = JSON.parse(kept) as Memory;
    } catch { /* What cannot be read is begun anew. */ }
    this.state = { ...this.state, cluster: this.memory.cluster };
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => { this.listeners.delete(listener); };
  };

  private set(change: Partial<RunnerState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of [...this.listeners]) listener();
  }

  private keep(): void { localStorage.setItem(this.key, JSON.stringify(this.memory)); }

  close(): void { this.controller.abort(); }

  // Cluster and context

  attach(cluster: string | undefined): void {
    if (cluster === this.memory.cluster) return;
    this.memory = { cluster, commands: {} };
    this.keep();
    this.set({ cluster, kernel: "none", problem: undefined });
  }

  /** Waits while the cluster starts. */
  private async ready(cluster: string): Promise<void> {
    let info = await call("getCluster", { cluster_id: cluster }, this.controller.signal);
    const isStarting = () => info.state === "PENDING" || info.state === "RESTARTING";
    if (isStarting()) {
      this.set({ kernel: "starting" });
      await follow("watchCluster", () => ({ cluster_id: cluster }), this.controller.signal, (now) => { info = now; }, () => !isStarting(), true);
    }
    if (!isAlive(info.state)) {
      throw new ApiError("INVALID_STATE", `The cluster ${info.spec.cluster_name} does not run. Start it, or attach to another one.`, 409);
    }
  }

  /** The context of this notebook on the cluster: the one that is there, or another one. */
  private async context(): Promise<{ cluster: string; context: string }> {
    const cluster = this.memory.cluster;
    if (!cluster) throw new ApiError("NO_CLUSTER", "Choose a cluster first.", 409);
    await this.ready(cluster);
    const start = `nb-${this.store.notebookID}-`;
    const { contexts } = await call("listContexts", { cluster_id: cluster }, this.controller.signal);
    const alive = contexts.filter((one) => one.context_id.startsWith(start) && (one.state === "RUNNING" || one.state === "PENDING"))
      .sort((a, b) => b.created_time - a.created_time)[0];
    let context = alive?.context_id;
    if (!context) {
      this.set({ kernel: "starting" });
      context = start + Date.now().toString(36);
      await call("createContext", { cluster_id: cluster, body: { context_id: context, language: this.store.language } }, this.controller.signal);
    }
    if (context !== this.memory.context) {
      this.memory = { ...this.memory, context };
      this.keep();
    }
    return { cluster, context };
  }

  // Running

  run(ids: string[]): void {
    const wanted = ids.filter((id) => {
      const cell = this.store.cell(id);
      return cell?.type === "code" && cell.source.trim() !== "" && !this.state.queue.includes(id);
    });
    if (wanted.length === 0) return;
    for (const id of wanted) this.store.update(id, { run: { state: "waiting" } }, false);
    this.set({ queue: [...this.state.queue, ...wanted], problem: undefined });
    void this.work();
  }

  private async work(): Promise<void> {
    if (this.isWorking) return;
    this.isWorking = true;
    try {
      for (let id = this.state.queue[0]; id !== undefined && !this.controller.signal.aborted; id = this.state.queue[0]) {
        const isGood = await this.runOne(id);
        this.set({ queue: this.state.queue.filter((one) => one !== id) });
        // As in Jupyter, what follows a cell that failed is not run.
        if (!isGood) this.dropQueue();
      }
      if (!this.controller.signal.aborted) this.set({ kernel: this.state.kernel === "lost" ? "lost" : "ready" });
    } catch (error) {
      if (!this.controller.signal.aborted) {
        this.set({ kernel: "lost", problem: error instanceof Error ? error.message : String(error) });
        this.dropQueue();
      }
    } finally {
      this.isWorking = false;
    }
  }

  private dropQueue(): void {
    for (const id of this.state.queue) {
      if (this.store.cell(id)?.run?.state !== "done") this.store.update(id, { run: { state: "cancelled" } }, false);
    }
    this.set({ queue: [] });
  }

  private async runOne(id: string): Promise<boolean> {
    const cell = this.store.cell(id);
    if (!cell) return true;
    const { cluster, context } = await this.context();
    this.set({ kernel: "busy" });
    const magic = magicOf(cell.source);
    const command = crypto.randomUUID();
    this.memory = { ...this.memory, commands: { ...this.memory.commands, [id]: command } };
    this.keep();
    const language = magic?.language === "pip" ? "python" : magic?.language ?? this.store.language;
    this.store.update(id, { outputs: [], count: null, run: { state: "waiting" } });
    await call("executeCommand", {
      cluster_id: cluster, context_id: context, body: { command_id: command, language, source: magic?.body ?? cell.source },
    }, this.controller.signal);
    return await this.follow(id, cluster, context, command);
  }

  /** Takes the outputs of a command into its cell until it ends; whether it ended well. */
  private async follow(id: string, cluster: string, context: string, command: string): Promise<boolean> {
    let outputs: Output[] = [];
    let count: number | null = null;
    let run: { state: RunState; start?: number; end?: number } = { state: "waiting" };
    let clears = false;
    let frame = 0;
    let isOver = false;
    const show = () => {
      frame = 0;
      this.store.update(id, { outputs, count, run });
    };
    await follow("streamCommandEvents", (after) => ({ cluster_id: cluster, context_id: context, command_id: command, after }),
      this.controller.signal, (event: CommandEvent) => {
        outputs = withEvent(outputs, event, clears);
        clears = event.type === "CLEAR_OUTPUT" ? event.wait === true : event.type === "STATE" ? clears : false;
        count = event.execution_count ?? count;
        if (event.type === "STATE") {
          run = stateAfter(run, event);
          isOver = event.state === "FINISHED" || event.state === "ERROR" || event.state === "CANCELLED";
        }
        // Many events in one frame are one change of the page; a tab in the back has no frames.
        if (!frame) frame = document.hidden ? window.setTimeout(show, 200) : requestAnimationFrame(show);
      }, () => isOver, true);
    cancelAnimationFrame(frame);
    if (this.controller.signal.aborted) return false;
    show();
    return run.state === "done";
  }

  /** The outputs are saved: nothing has to be taken up again. */
  forget(): void {
    if (this.isWorking || Object.keys(this.memory.commands).length === 0) return;
    this.memory = { ...this.memory, commands: {} };
    this.keep();
  }

  /** Takes up what ran, or has run, while this page was closed. */
  async resume(): Promise<void> {
    const { cluster, context, commands } = this.memory;
    if (!cluster || !context || this.isWorking) return;
    const pending = Object.entries(commands).filter(([id]) => this.store.cell(id));
    if (pending.length === 0) return;
    this.isWorking = true;
    this.set({ kernel: "busy" });
    try {
      for (const [id, command] of pending) {
        this.set({ queue: [id] });
        await this.follow(id, cluster, context, command);
      }
      this.set({ kernel: "ready" });
    } catch {
      // The cluster is gone, and with it what was not saved.
      this.memory = { ...this.memory, context: undefined, commands: {} };
      this.keep();
      if (!this.controller.signal.aborted) this.set({ kernel: "none" });
    } finally {
      this.isWorking = false;
      if (!this.controller.signal.aborted) this.set({ queue: [] });
    }
  }

  async interrupt(): Promise<void> {
    const id = this.state.queue[0];
    this.set({ queue: this.state.queue.slice(0, 1) });
    for (const cell of this.store.state.cells) {
      if (cell.run?.state === "waiting" && cell.id !== id) this.store.update(cell.id, { run: undefined }, false);
    }
    const { cluster, context, commands } = this.memory;
    const command = id ? commands[id] : undefined;
    if (cluster && context && command) {
      await call("cancelCommand", { cluster_id: cluster, context_id: context, command_id: command });
    }
  }

  /** Ends the kernel with all its variables; the next cell gets a new one. */
  async restart(): Promise<void> {
    const { cluster, context } = this.memory;
    if (!cluster || !context) return;
    this.set({ kernel: "starting" });
    await call("deleteContext", { cluster_id: cluster, context_id: context });
    this.memory = { cluster, commands: {} };
    this.keep();
    await this.context();
    this.set({ kernel: "ready", problem: undefined });
  }
}

function stateAfter(run: { state: RunState; start?: number; end?: number }, event: CommandEvent): typeof run {
  switch (event.state) {
    case "RUNNING": return { state: "running", start: event.timestamp };
    case "FINISHED": return { ...run, state: "done", end: event.timestamp };
    case "ERROR": return { ...run, state: "failed", end: event.timestamp };
    case "CANCELLED": return { ...run, state: "cancelled", end: event.timestamp };
    default: return run;
  }
}
