// What cells put out, as it arrives: events one by one, and answers that have all of it up to some event. Neither waits for the
// other, so that an answer may have events that are still to be told. Nothing is asked for here.
import type { CommandEvent } from "../api/generated/contract";
import { type Output, withEvent, withOmitted } from "../output/mime";

/** That a cell begins to run, which clears it, or something that it puts out. */
export type Told = { sequence: number } & ({ isBegin: true } | { isBegin?: undefined; event: CommandEvent; omitted: number | undefined });

export interface Shown { outputs: Output[]; count: number | null }

/** What was asked for, from that moment on. */
export interface Asked {
  /** Whether the next output was to clear the others. */
  clears: boolean;
  since: Told[];
}

function outputsAfter(outputs: Output[], told: Told, clears: boolean): Output[] {
  if (told.isBegin) return [];
  return told.omitted === undefined ? withEvent(outputs, told.event, clears) : withOmitted(outputs, told.event, told.omitted, clears);
}

function clearsAfter(clears: boolean, told: Told): boolean {
  if (told.isBegin) return false;
  return told.event.type === "CLEAR_OUTPUT" ? told.event.wait === true : told.event.type === "STATE" && clears;
}

function countAfter(count: number | null, told: Told): number | null {
  return told.isBegin ? null : told.event.execution_count ?? count;
}

export class Arriving {
  /** Cells that have changed since these were taken. */
  private changes = new Map<string, Shown>();
  /** Cells whose next output clears the others. */
  private clearing = new Set<string>();
  /** Cells whose outputs are on their way: what was asked last. */
  private asked = new Map<string, Asked>();
  /** The event up to which a cell's outputs were answered, as long as none was told after it. */
  private answered = new Map<string, number>();
  /** The event up to which all was read anew. */
  private readAt = -1;
  /** What was told last of each cell that is here. */
  private told = new Map<string, number>();
  /** What was told last of cells that are not here. */
  private strangers = new Map<string, number>();

  /** @param shown what a cell shows; nothing where there is no such cell. */
  constructor(private readonly shown: (cell: string) => Shown | undefined) {}

  take(cell: string, told: Told): void {
    this.asked.get(cell)?.since.push(told);
    const now = this.changes.get(cell) ?? this.shown(cell);
    if (!now) { this.miss(cell, told.sequence); return; }
    this.told.set(cell, told.sequence);
    const clears = this.clearing.has(cell);
    this.setClears(cell, clearsAfter(clears, told));
    // An answer had it already.
    if (told.sequence <= (this.answered.get(cell) ?? -1)) return;
    this.answered.delete(cell);
    this.changes.set(cell, { outputs: outputsAfter(now.outputs, told, clears), count: countAfter(now.count, told) });
  }

  /** Asks for all that a cell has put out; an answer to what was asked before is not waited for any more. */
  ask(cell: string): Asked {
    const asked = { clears: this.clearing.has(cell), since: [] };
    this.asked.set(cell, asked);
    return asked;
  }

  /** What was asked for is there, up to an event, and what was told after that comes on top. Nothing is done where it is not wanted any more. */
  answer(cell: string, asked: Asked, found: Shown, sequence: number): void {
    if (this.asked.get(cell) !== asked) return;
    let { outputs, count } = found;
    let { clears } = asked;
    for (const told of asked.since) {
      if (told.sequence > sequence) [outputs, count] = [outputsAfter(outputs, told, clears), countAfter(count, told)];
      clears = clearsAfter(clears, told);
    }
    this.setClears(cell, clears);
    this.answered.set(cell, sequence);
    this.changes.set(cell, { outputs, count });
  }

  /** Whether it is still waited for what was asked. */
  isAwaited(cell: string, asked: Asked): boolean { return this.asked.get(cell) === asked; }

  /** Nothing comes any more of what was asked for. */
  end(cell: string, asked: Asked): void { if (this.asked.get(cell) === asked) this.asked.delete(cell); }

  /** A cell was cleared: what is on its way of it is not wanted. */
  drop(cell: string): void {
    this.asked.delete(cell);
    this.changes.delete(cell);
  }

  /** A cell has come that others have made, as it was at some event. Answers whether more was told of it meanwhile. */
  meet(cell: string, sequence: number): boolean {
    const last = this.strangers.get(cell) ?? -1;
    this.strangers.delete(cell);
    this.answered.set(cell, sequence);
    return last > sequence;
  }

  /** Whether what a cell shows here may have been put out after an event. */
  isToldAfter(cell: string, sequence: number): boolean {
    return Math.max(this.readAt, this.told.get(cell) ?? -1, this.answered.get(cell) ?? -1) > sequence;
  }

  /** All was read anew, as it was at some event. */
  reset(sequence: number): void {
    this.readAt = sequence;
    for (const all of [this.changes, this.asked, this.answered, this.strangers, this.clearing, this.told]) all.clear();
  }

  /** What has changed, once. */
  taken(): Array<[string, Shown]> {
    const all = [...this.changes];
    this.changes.clear();
    return all;
  }

  private setClears(cell: string, clears: boolean): void {
    if (clears) this.clearing.add(cell);
    else this.clearing.delete(cell);
  }

  /** A cell that others have made may be told of before it is here; one that was deleted here is forgotten in time. */
  private miss(cell: string, sequence: number): void {
    this.strangers.delete(cell);
    this.strangers.set(cell, sequence);
    const [oldest] = this.strangers.keys();
    if (this.strangers.size > 100 && oldest !== undefined) this.strangers.delete(oldest);
  }
}
