// Gets outputs that are not here: of cells that come near, of those that somebody wants to see whole, and, while the browser has
// nothing else to do, those that wait further down, so that who scrolls finds them there. Of what waits, many cells come with
// one answer.
import { call } from "../api/client";
import type { OutputsBelow } from "../api/generated/contract";
import { type Output, omittedOf } from "../output/mime";
import type { Arriving, Asked } from "./arriving";
import type { CellView } from "./cells";
import { shownOutputs } from "./saver";
import type { NotebookStore } from "./store";

/** The most that comes with one answer, and that comes without somebody being near, in bytes. */
const [pieceLimit, aheadLimit] = [262_144, 8_000_000];

/** An answer that is on its way. */
interface Load { isWhole: boolean; asked: Asked; done: Promise<void> }

const isWaiting = (cell: CellView) => cell.outputs.some((output) => omittedOf(output)?.waits === true);

export class Loading {
  private loads = new Map<string, Load>();
  private ahead = 0;
  private isAsked = false;

  /** @param apply shows what has arrived. */
  constructor(
    private readonly store: NotebookStore, private readonly arriving: Arriving, private readonly apply: () => void,
    private readonly signal: AbortSignal
  ) {}

  /** Gets what a cell has put out: all of it, or what is shown at once. Several who want it wait for one answer. */
  get = async (id: string, isWhole: boolean): Promise<void> => {
    await this.saved(id);
    // It may be gone while that was waited for.
    if (!this.store.cell(id)) return;
    await this.once(id, isWhole);
    const cell = this.store.cell(id);
    // It was asked for together with others, for all of which there was no room.
    if (!isWhole && cell && isWaiting(cell)) await this.once(id, false);
  };

  /** A cell that was brought back is not there to be asked for before that is saved. */
  private saved(id: string): Promise<void> {
    if (this.store.hasSaved(id)) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = this.store.subscribe(() => {
        if (!this.store.hasSaved(id) && this.store.cell(id)) return;
        stop();
        resolve();
      });
    });
  }

  private once(id: string, isWhole: boolean): Promise<void> {
    const last = this.loads.get(id);
    if (last && this.arriving.isAwaited(id, last.asked) && (last.isWhole || !isWhole)) return last.done;
    const below = isWhole ? [] : this.store.state.cells.slice(this.store.index(id) + 1)
      .filter((one) => isWaiting(one) && this.store.hasSaved(one.id) && !this.loads.has(one.id));
    const asked = new Map([id, ...below.map((one) => one.id)].map((one) => [one, this.arriving.ask(one)]));
    const done = this.load(id, isWhole, asked);
    for (const [one, what] of asked) this.loads.set(one, { isWhole, asked: what, done });
    return done;
  }

  private async load(id: string, isWhole: boolean, asked: Map<string, Asked>): Promise<void> {
    const take = ({ cell_id, outputs, execution_count, last_sequence }: OutputsBelow) => {
      const what = asked.get(cell_id);
      if (what) this.arriving.answer(cell_id, what, { outputs: outputs as unknown as Output[], count: execution_count ?? null }, last_sequence ?? 0);
    };
    try {
      const limits = isWhole ? {} : { output_limit: shownOutputs.output_limit, output_total: pieceLimit };
      const found = await call("getCellOutputs", { notebook_id: this.store.notebookID, cell_id: id, ...limits }, this.signal);
      take(found);
      found.following?.forEach(take);
      this.apply();
    } finally {
      for (const [one, what] of asked) {
        this.arriving.end(one, what);
        if (this.loads.get(one)?.asked === what) this.loads.delete(one);
      }
    }
  }

  /** Gets what waits, one piece after the other, from the top. What could not be got is asked for when it comes near. */
  getAhead(): void {
    // A browser without it gets them when they come near.
    if (this.isAsked || this.signal.aborted || typeof requestIdleCallback !== "function") return;
    this.isAsked = true;
    requestIdleCallback(() => {
      this.isAsked = false;
      const next = this.ahead < aheadLimit && !this.signal.aborted ? this.store.state.cells.find((one) => isWaiting(one) && this.store.hasSaved(one.id)) : undefined;
      if (!next) return;
      this.ahead += pieceLimit;
      this.get(next.id, false).then(() => this.getAhead(), () => undefined);
    });
  }
}
