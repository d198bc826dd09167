// Find and replace in a notebook: the bar, and the marks in the cells.
import { KeyboardEvent, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Button } from "../ui/parts";
import { toast } from "../ui/toast";
import type { CellView } from "./cells";
import { type Match, type Wanted, isWrong, matchesIn, mostMatches, replaced } from "./finding";
import type { NotebookStore } from "./store";

/** Opens the bar with Ctrl-F wherever in the notebook the keyboard is; in its own field the key is the browser's. */
export function useFindKey(onFind: () => void): void {
  const action = useRef(onFind);
  action.current = onFind;
  useLayoutEffect(() => {
    const pressed = (event: globalThis.KeyboardEvent) => {
      if (event.key.toLowerCase() !== "f" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
      const target = event.target as HTMLElement;
      if (target.closest("dialog, .find") || !(target === document.body || target.closest("main"))) return;
      event.preventDefault();
      event.stopPropagation();
      action.current();
    };
    addEventListener("keydown", pressed, true);
    return () => removeEventListener("keydown", pressed, true);
  }, []);
}

/** Whether a match comes after what was put in place of another, which grew by so much. */
function isBehind(cells: CellView[], one: Match, replacedOne: Match, growth: number): boolean {
  if (one.id === replacedOne.id) return one.start >= replacedOne.end + growth;
  const place = (id: string) => cells.findIndex((cell) => cell.id === id);
  return place(one.id) > place(replacedOne.id);
}

/** @param version of the notebook's texts: outputs that come are not looked through. */
export function Find({ store, version, onClose }: { store: NotebookStore; version: number; onClose: () => void }) {
  const [wanted, setWanted] = useState<Wanted>(() => ({ text: getSelection()?.toString().split("\n")[0] ?? "", isCase: false, isPattern: false }));
  const [by, setBy] = useState("");
  const [at, setAt] = useState(0);
  const field = useRef<HTMLInputElement>(null);
  const matches = useMemo(() => matchesIn(store.state.cells, wanted), [store, version, wanted]);
  const current = matches[Math.min(at, matches.length - 1)];
  const index = current ? matches.indexOf(current) : -1;
  useEffect(() => { field.current?.focus(); field.current?.select(); }, []);
  useMarks(matches, current);
  useEffect(() => {
    // Who writes in a cell is left there, though what is found moves with what they write.
    const isWritingElsewhere = store.state.editing && !document.activeElement?.closest(".find");
    if (current && !isWritingElsewhere) show(store, current);
  }, [store, current?.id, current?.start]);
  const go = (offset: number) => { if (matches.length > 0) setAt((index + offset + matches.length) % matches.length); };
  const want = (change: Partial<Wanted>) => { setWanted({ ...wanted, ...change }); setAt(0); };
  const replace = (only?: Match) => {
    const { cells: changed, rewritten, count } = replaced(store.state.cells, wanted, by, only);
    if (count === 0) return;
    const lengthOf = (id: string | undefined) => store.cell(id)?.source.length ?? 0;
    const before = lengthOf(only?.id);
    const takeBack = store.bring({ cells: changed, rewritten });
    // The next one stands behind what was put in, which may have in it what was looked for.
    if (only) setAt(Math.max(0, matchesIn(changed, wanted).findIndex((one) => isBehind(changed, one, only, lengthOf(only.id) - before))));
    else toast(`Replaced ${count === 1 ? "one place" : `${count} places`} in ${rewritten.length === 1 ? "one cell" : `${rewritten.length} cells`}.`, "good", { text: "Undo", run: takeBack });
  };
  const close = () => { onClose(); if (current) document.getElementById(`cell-${current.id}`)?.focus({ preventScroll: true }); };
  const pressed = (event: KeyboardEvent) => {
    if (event.key === "Escape") close();
    else if (event.key === "Enter" && event.target === field.current) go(event.shiftKey ? -1 : 1);
    else if (event.key === "Enter" && (event.target as HTMLElement).matches("input")) replace(current);
    else return;
    event.preventDefault();
  };
  const isEmpty = wanted.text === "";
  const count = isWrong(wanted) ? "This is no pattern" : isEmpty ? "" : matches.length === 0 ? "Not found"
    : `${index + 1} of ${matches.length === mostMatches ? `${mostMatches} and more` : matches.length}`;
  return (
    <div className="find" role="search" aria-label="Find in this notebook" onKeyDown={pressed}>
      <div className="find-row">
        <input ref={field} className="input" aria-label="Find" placeholder="Find" value={wanted.text} spellCheck={false} autoComplete="off"
          aria-invalid={isWrong(wanted) || undefined} onChange={(event) => want({ text: event.target.value })} />
        <span className="find-count small soft" role="status">{count}</span>
        <Button isSmall tone="quiet" icon="up" aria-label="The match before" disabled={!current} onClick={() => go(-1)} />
        <Button isSmall tone="quiet" icon="down" aria-label="The next match" disabled={!current} onClick={() => go(1)} />
        <Button isSmall tone="quiet" className="find-way" aria-pressed={wanted.isCase} aria-label="Match case" title="Match case" onClick={() => want({ isCase: !wanted.isCase })}>Aa</Button>
        <Button isSmall tone="quiet" className="find-way" aria-pressed={wanted.isPattern} aria-label="Regular expression" title="Regular expression"
          onClick={() => want({ isPattern: !wanted.isPattern })}>.*</Button>
        <Button isSmall tone="quiet" icon="close" aria-label="Close finding" onClick={close} />
      </div>
      {!store.isReadOnly && (
        <div className="find-row">
          <input className="input" aria-label="Replace by" placeholder="Replace by" value={by} spellCheck={false} autoComplete="off" onChange={(event) => setBy(event.target.value)} />
          <Button isSmall disabled={!current} onClick={() => replace(current)}>Replace</Button>
          <Button isSmall disabled={!current} onClick={() => replace()}>Replace all</Button>
        </div>
      )}
    </div>
  );
}

/** Below the bar, and above the lower edge; what is not laid out has no height. */
const isInSight = ({ top, bottom, height }: DOMRect) => height > 0 && top >= 160 && bottom <= innerHeight - 40;

/** Selects the cell and has the match in sight; the keyboard stays where it is. */
function show(store: NotebookStore, match: Match): void {
  if (store.state.selected !== match.id || store.state.editing) store.select(match.id);
  // When the cell has been made and is no editor any more.
  requestAnimationFrame(() => {
    const cell = document.getElementById(`cell-${match.id}`);
    if (cell && !isInSight((rangeOf(match) ?? cell).getBoundingClientRect())) cell.scrollIntoView({ block: "center" });
    // And when it has been laid out: a cell may be higher than the window.
    requestAnimationFrame(() => {
      const range = rangeOf(match);
      const place = range?.getBoundingClientRect();
      if (place && place.height > 0 && !isInSight(place)) scrollBy(0, place.top - innerHeight / 3);
      mark("found-now", range ? [range] : []);
    });
  });
}

/** Where a match stands on the page: in a text that is shown as it is, and was made. */
function rangeOf({ id, start, end }: Match): Range | undefined {
  const code = document.querySelector(`#cell-${CSS.escape(id)} .cell-source > code`);
  if (!code) return undefined;
  const range = document.createRange();
  const walker = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
  let seen = 0;
  let isBegun = false;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const length = node.textContent?.length ?? 0;
    if (!isBegun && start < seen + length) { range.setStart(node, start - seen); isBegun = true; }
    if (isBegun && end <= seen + length) { range.setEnd(node, end - seen); return range; }
    seen += length;
  }
  return undefined;
}

/** CSS Custom Highlight API, which this TypeScript's library does not know. */
declare const Highlight: new (...ranges: Range[]) => object;
const marks = (CSS as { highlights?: { set(name: string, marks: object): void; delete(name: string): void } }).highlights;

/** The browser draws marks over a text that stays as it is; one that cannot shows the cell only. */
function mark(name: string, ranges: Range[]): void {
  if (ranges.length === 0) marks?.delete(name);
  else marks?.set(name, new Highlight(...ranges));
}

/** So many are marked at once. */
const mostMarks = 1000;

function useMarks(matches: Match[], current: Match | undefined): void {
  useEffect(() => {
    const frame = requestAnimationFrame(() => mark("found", matches.slice(0, mostMarks).flatMap((one) => one === current ? [] : rangeOf(one) ?? [])));
    return () => cancelAnimationFrame(frame);
  }, [matches, current]);
  useEffect(() => () => { mark("found", []); mark("found-now", []); }, []);
}
