// What runs in the notebook, as the server tells it: the queue is everybody's, and outputs come whether or not this page is
// open. The page asks for things and shows what it is told; it keeps nothing that a closed tab could lose.
import { ApiError, call } from "../api/client";
import type {
  ChangeWidgets, CommandOverflow, LiveMessage, LivePresence, NotebookCommand, NotebookContent, NotebookEvent, NotebookExecution, NotebookSession,
  NotebookWidget, RunScope,
} from "../api/generated/contract";
import { live, tabID } from "../api/live";
import { newID } from "../app/ids";
import { type Output, textsOf } from "../output/mime";
import { save } from "../output/table";
import { Arriving } from "./arriving";
import { Loading } from "./loading";
import { shownOutputs } from "./saver";
import type { CellRun, CellView, RunState } from "./cells";
import type { NotebookStore } from "./store";

export type KernelState = "none" | "starting" | "ready" | "busy" | "lost";

export interface RunnerState {
  cluster?: string;
  kernel: KernelState;
  /** What to know about the kernel. */
  message?: string;
  problem?: string;
  /** What runs and what waits, in order. */
  queue: NotebookCommand[];
  /** The notebook's parameters, in order. */
  widgets: NotebookWidget[];
  people: LivePresence[];
  /** How many more are here who are not named. */
  others: number;
  /** Whether what is shown is what is. */
  isLive: boolean;
}

const states: Record<NotebookCommand["state"], RunState> = {
  QUEUED: "waiting", RUNNING: "running", FINISHED: "done", ERROR: "failed", CANCELLED: "cancelled", SKIPPED: "cancelled",
};
const isOpen = (command: NotebookCommand) => command.state === "QUEUED" || command.state === "RUNNING";

export class Runner {
  /** When the run that was asked for last has been sent, or has failed. */
  private turn: Promise<void> = Promise.resolve();
  /** How often somebody here has said what is to run, or that nothing is. */
  asked = 0;
  /** How often all that was asked for was to end: what was not sent by then is not sent any more. */
  private ended = 0;
  state: RunnerState = { kernel: "none", queue: [], widgets: [], people: [], others: 0, isLive: false };
  /** Saves what is written here; false when that was not possible. */
  save: () => Promise<boolean> = () => Promise.resolve(true);
  /** Others have changed what is changed here too. */
  onConflict: () => void = () => undefined;
  private readonly topic: string;
  /** What it runs on, as it was told last, and the event, or the answer, that it is of. */
  private session: NotebookSession = { kernel: "ABSENT" };
  private sessionAt = -1;
  readonly commands = new Map<string, NotebookCommand>();
  /** Saves what is typed into the fields of widgets, before anything runs that goes by it. */
  readonly drafts = new Map<string, () => Promise<void>>();
  /** The widgets as they were told last, and the event, or the answer, that they are of. */
  private told: NotebookWidget[] = [];
  private widgetsAt = -1;
  /** Values that were chosen here and are not answered yet: what is told meanwhile is older. */
  private chosen = new Map<string, { value: string; turn: number }>();
  private choices = 0;
  private choosing: Promise<unknown> = Promise.resolve();
  /** Commands that run, and the event, or the answer, that has told so first. */
  private begun = new Map<string, number>();
  private listeners = new Set<() => void>();
  private stops: Array<() => void> = [];
  private controller = new AbortController();
  /** Outputs that came since the last frame, and those that are on their way. */
  private readonly arriving: Arriving;
  readonly loading: Loading;
  private frame = 0;
  private pulling: Promise<void> | undefined;

  constructor(private readonly store: NotebookStore) {
    this.topic = `notebooks/${store.notebookID}`;
    this.arriving = new Arriving((cell) => store.cell(cell));
    this.loading = new Loading(store, this.arriving, () => this.apply(), this.controller.signal);
    store.onCleared = (ids) => { for (const id of ids) this.arriving.drop(id); };
    store.onCome = (ids, sequence) => this.meet(ids, sequence);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => { this.listeners.delete(listener); };
  };

  private set(change: Partial<RunnerState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of [...this.listeners]) listener();
  }

  // Following

  /** Follows the notebook from the event on that its content goes up to. */
  open(content: NotebookContent): void {
    this.stops.push(live.follow(this.topic, {
      after: content.last_sequence ?? 0, onMessage: (message) => this.take(message), onReset: () => this.reset(),
    }), live.subscribe(() => { if (live.isOpen !== this.state.isLive) this.set({ isLive: live.isOpen }); }));
    this.set({ isLive: live.isOpen });
    this.askExecution();
    this.loading.getAhead();
  }

  private askExecution(): void {
    this.untilAnswered(() => call("getNotebookExecution", { notebook_id: this.store.notebookID }, this.controller.signal))
      .then((execution) => this.takeExecution(execution), (error: unknown) => this.fail(error));
  }

  /** Asks again as long as the server is away: no event would tell later what the answer would have. */
  private async untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
    for (let pause = 250; ; pause = Math.min(pause * 2, 8000)) {
      try {
        return await ask();
      } catch (error) {
        if (this.controller.signal.aborted || !(error instanceof ApiError && error.isPassing)) throw error;
      }
      await new Promise((resolve) => { setTimeout(resolve, pause); });
    }
  }

  close(): void {
    this.controller.abort();
    for (const stop of this.stops) stop();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.frame);
  }

  setPlace(cell: string | undefined, isEditing: boolean): void {
    live.setPlace(this.topic, { ...(cell ? { cell_id: cell } : {}), is_editing: isEditing });
  }

  private fail(error: unknown): void {
    if (this.controller.signal.aborted) return;
    // A lost connection has a notice of its own, and what is asked for again is asked for when it is back.
    if (error instanceof ApiError && error.isPassing) return;
    this.set({ problem: error instanceof Error ? error.message : String(error) });
  }

  private take(message: LiveMessage): void {
    if (message.type === "PRESENCE") this.set({ people: message.presence ?? [], others: message.others ?? 0 });
    else if (message.type === "FAILED") this.set({ problem: message.message });
    else if (message.notebook) this.takeEvent(message.notebook);
  }

  private takeEvent(event: NotebookEvent): void {
    if (event.type === "COMMAND" && event.command) this.takeCommands([event.command], event.sequence);
    else if (event.type === "SESSION" && event.session) this.takeSession(event.session, event.sequence);
    else if (event.type === "WIDGETS") this.takeWidgetEvent(event);
    else if (event.type === "OUTPUT" && event.output && event.cell_id) {
      this.arriving.take(event.cell_id, { sequence: event.sequence, event: event.output, omitted: event.omitted_bytes });
      this.plan();
    }
    else if (event.type === "REVISION" && event.client_id !== tabID && (event.revision_id ?? 0) > this.store.state.revisionID) void this.pull();
  }

  /** An answer may come after events that tell more: a kernel can be there before the answer that it starts. */
  private takeSession(session: NotebookSession, sequence: number): void {
    if (sequence < this.sessionAt) return;
    this.sessionAt = sequence;
    this.session = session;
    this.show();
  }

  /** Puts the kernel's and the queue's state together for the page. */
  private show(): void {
    const queue = [...this.commands.values()].filter(isOpen);
    const kernels: Record<NotebookSession["kernel"], KernelState> = {
      ABSENT: "none", STARTING: "starting", LOST: "lost", READY: queue.some((one) => one.state === "RUNNING") ? "busy" : "ready",
    };
    this.set({ cluster: this.session.cluster_id, kernel: kernels[this.session.kernel], message: this.session.message, queue });
  }

  private takeExecution(execution: NotebookExecution): void {
    this.takeSession(execution.session, execution.last_sequence);
    this.takeWidgets(execution.widgets ?? [], execution.last_sequence);
    this.takeCommands(execution.commands, execution.last_sequence, false);
  }

  private takeWidgetEvent(event: NotebookEvent): void {
    if (event.widgets) this.takeWidgets(event.widgets, event.sequence);
    // They are too long to be told.
    else this.askExecution();
  }

  /** An answer may come after events that tell more. */
  private takeWidgets(widgets: NotebookWidget[], sequence: number): void {
    if (sequence < this.widgetsAt) return;
    this.widgetsAt = sequence;
    this.told = widgets;
    this.showWidgets();
  }

  private showWidgets(): void {
    this.set({ widgets: this.told.map((one) => ({ ...one, value: this.chosen.get(one.name)?.value ?? one.value })) });
  }

  /** Takes in how commands stand; of an event, one that begins clears its cell. */
  private takeCommands(commands: NotebookCommand[], sequence: number, isEvent = true): void {
    for (const command of commands) {
      const known = this.commands.get(command.command_id);
      if (!isOpen(command)) this.begun.delete(command.command_id);
      // The answer to a request may come after events that tell more.
      if (!isEvent && known && (!isOpen(known) || known.state === "RUNNING")) continue;
      this.commands.set(command.command_id, command);
      if (command.state === "RUNNING") this.begin(command, sequence, isEvent);
      const cell = this.store.cell(command.cell_id);
      if (!cell) continue;
      if (isEvent && !isOpen(command)) {
        this.apply();
        const count = command.execution_count ?? cell.count;
        this.store.update(cell.id, { run: runOf(command), ...(command.state === "SKIPPED" || command.state === "CANCELLED" ? {} : { count }) }, false);
      } else this.store.update(cell.id, { run: runOf(command) }, false);
    }
    for (const [id, command] of this.commands) if (!isOpen(command) && this.commands.size > 2000) this.commands.delete(id);
    this.show();
  }

  /**
   * Clears the cell of a command that begins. That it runs is told again when it has been warned or interrupted, and when
   * another process goes on with it. An answer may say it sooner than the event, before which nothing is over.
   */
  private begin(command: NotebookCommand, sequence: number, isEvent: boolean): void {
    const known = this.begun.get(command.command_id) ?? Infinity;
    this.begun.set(command.command_id, Math.min(known, sequence));
    // The event of the beginning is not newer than an answer that knows of it, and what only begins was neither warned nor interrupted.
    if (!isEvent || known < sequence || command.warning !== undefined || command.is_cancelling) return;
    this.arriving.take(command.cell_id, { sequence, isBegin: true });
    this.store.unclear(command.cell_id);
    this.plan();
  }

  /**
   * Cells have come that others have made, or ours are back: they may have been told of before they were here. What runs is told
   * of, also while its cell is not here.
   */
  private meet(ids: string[], sequence: number): void {
    for (const id of ids) {
      if (this.arriving.meet(id, sequence)) this.loading.get(id, false).catch((error: unknown) => this.fail(error));
    }
    const last = new Map([...this.commands.values()].filter(({ cell_id }) => ids.includes(cell_id)).map((command) => [command.cell_id, command]));
    for (const id of ids) {
      const command = last.get(id);
      const state = this.store.cell(id)?.run?.state;
      if (command || state === "running" || state === "waiting") this.store.update(id, { run: command && runOf(command) }, false);
    }
  }

  /** Saves all that a cell has put out as a text, with what was more than it may, as long as its kernel is there. */
  saveAll = async (cell: CellView, name: string): Promise<void> => {
    // A page that was just opened may not know yet where the notebook runs.
    if (!this.session.context_id) this.takeExecution(await call("getNotebookExecution", { notebook_id: this.store.notebookID }, this.controller.signal));
    const { cluster_id, context_id } = this.session;
    const found = await call("getCellOutputs", { notebook_id: this.store.notebookID, cell_id: cell.id }, this.controller.signal);
    if (!cluster_id || !context_id || !found.command_id) throw new Error("What was left out is gone with the kernel that had it.");
    const parts = textsOf(found.outputs as unknown as Output[]);
    for (let offset: number | undefined = 0; offset !== undefined;) {
      const piece: CommandOverflow = await call("readCommandOverflow", { cluster_id, context_id, command_id: found.command_id, offset }, this.controller.signal);
      parts.push(piece.text);
      offset = piece.next_offset;
    }
    save(`${name}.txt`, "text/plain;charset=utf-8", parts);
  };

  /** Many events in one frame are one change of the page; a tab in the back has no frames. */
  private plan(): void {
    if (this.frame) return;
    const apply = () => this.apply();
    this.frame = document.hidden ? window.setTimeout(apply, 200) : requestAnimationFrame(apply);
  }

  private apply(): void {
    this.frame = 0;
    this.store.show(new Map(this.arriving.taken()));
  }

  /** Whether a cell has put out something since a content was read. */
  hasPutOutSince(content: NotebookContent): (cell: string) => boolean {
    this.apply();
    return (cell) => this.arriving.isToldAfter(cell, content.last_sequence ?? 0);
  }

  /** Reads everything anew, because too much was missed. */
  private async reset(): Promise<number> {
    const content = await call("getNotebook", { notebook_id: this.store.notebookID, ...shownOutputs }, this.controller.signal);
    this.arriving.reset(content.last_sequence ?? 0);
    this.store.takeOutputs(content);
    if (!await this.store.mergeInWhenSaved(content)) this.onConflict();
    this.commands.clear();
    this.takeExecution(await call("getNotebookExecution", { notebook_id: this.store.notebookID }, this.controller.signal));
    // What ended meanwhile without having put anything out is told of nowhere.
    for (const { id, run } of this.store.state.cells) {
      if ((run?.state === "waiting" || run?.state === "running") && !this.commands.has(run.command ?? "")) this.store.update(id, { run: undefined }, false);
    }
    return content.last_sequence ?? 0;
  }

  /** Takes in what others have saved. */
  private pull(): Promise<void> {
    const next = (this.pulling ?? Promise.resolve()).then(async () => {
      const content = await this.untilAnswered(
        () => call("getNotebook", { notebook_id: this.store.notebookID, ...shownOutputs }, this.controller.signal));
      if (!await this.store.mergeInWhenSaved(content)) this.onConflict();
    }).catch((error: unknown) => this.fail(error));
    this.pulling = next;
    return next;
  }

  // Asking

  private async ask(work: () => Promise<NotebookExecution>): Promise<void> {
    this.set({ problem: undefined });
    this.takeExecution(await work());
  }

  /** Runs what is saved: what is written here is saved first. */
  run(scope: RunScope, ids: string[] = []): Promise<void> {
    // In the order in which they were asked for: each waits for saving, and one might be done with that sooner.
    const { ended } = this;
    this.turn = this.turn.then(() => this.runNow(scope, ids, ended));
    return this.turn;
  }

  /** Everything that was chosen in a widget, or typed into one, is the server's. */
  async settle(): Promise<void> {
    await Promise.all([...this.drafts.values()].map((save) => save()));
    await this.choosing;
  }

  private async runNow(scope: RunScope, ids: string[], ended: number): Promise<void> {
    const token = newID();
    try {
      await this.settle();
      if (!await this.save()) throw new ApiError("NOT_SAVED", "The notebook could not be saved, so nothing was run.", 409);
      if (this.ended !== ended) return;
      const body = { scope, idempotency_token: token, ...(scope === "SELECTED" ? { cell_ids: ids } : scope === "ALL" ? {} : { cell_id: ids[0] }) };
      await this.ask(() => call("runCells", { notebook_id: this.store.notebookID, body }));
    } catch (error) {
      this.set({ problem: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Chooses values, removes widgets or brings them back: shown at once, and kept in the order in which it was asked for. */
  async changeWidgets(body: ChangeWidgets): Promise<void> {
    const turn = ++this.choices;
    for (const [name, value] of Object.entries(body.values ?? {})) this.chosen.set(name, { value, turn });
    this.showWidgets();
    // The next one waits for this one, however it ends.
    const work = this.choosing.catch(() => undefined).then(() => call("changeWidgets", { notebook_id: this.store.notebookID, body }));
    this.choosing = work;
    let answer: NotebookExecution | undefined;
    try {
      answer = await work;
    } finally {
      for (const [name, one] of this.chosen) if (one.turn === turn) this.chosen.delete(name);
      // Whoever waits to run has been told of a failure; the next run does not hear of it again.
      if (this.choosing === work) this.choosing = Promise.resolve();
      if (answer) this.takeExecution(answer);
      // Also where the answer is older than what was told meanwhile: somebody else may have chosen after this.
      this.showWidgets();
    }
  }

  async attach(cluster: string): Promise<void> {
    await this.ask(() => call("attachNotebook", { notebook_id: this.store.notebookID, body: { cluster_id: cluster } }));
  }

  /** Ends everything, or takes one command out of the queue. */
  async interrupt(command?: string): Promise<void> {
    this.asked += 1;
    if (!command) this.ended += 1;
    await this.ask(() => call("interruptNotebook", { notebook_id: this.store.notebookID, body: command ? { command_ids: [command] } : {} }));
  }

  /** Ends the kernel with all its variables and starts another. */
  async restart(): Promise<void> {
    this.ended += 1;
    await this.ask(() => call("restartKernel", { notebook_id: this.store.notebookID }));
  }
}

function runOf(command: NotebookCommand): CellRun {
  return {
    state: states[command.state], start: command.start_time, end: command.end_time, command: command.command_id, user: command.user_name,
    hash: command.source_hash, warning: command.warning,
  };
}
