// One cell: coloured text that becomes an editor when it is edited, and its outputs.
import { MouseEvent, memo, useEffect, useRef } from "react";
import type { EditorAction } from "../code/editing";
// With the notebook: what is typed right after Enter would be taken for commands while an editor is on its way.
import Editor from "../code/editor";
import { Highlighted } from "../code/highlight";
import { Markdown } from "../output/markdown";
import { isKeyboardFree } from "../ui/focus";
import { Button, Note } from "../ui/parts";
import { useScrolling } from "../ui/scrolling";
import { Span } from "../ui/time";
import { magicOf } from "./document";
import type { LivePresence } from "../api/generated/contract";
import { useAssistant } from "./assistant";
import type { CellRun, CellView } from "./cells";
import { Collapsible } from "./collapsible";
import { hash } from "./hash";
import { type Then, removeCells, toggleOutputs } from "./keys";
import { AtCell } from "./people";
import type { NotebookStore } from "./store";

const languages: Array<[string, string]> = [["python", "Python"], ["sql", "SQL"], ["md", "Markdown"], ["sh", "Shell"], ["raw", "Raw"]];

export interface CellProps {
  cell: CellView;
  number: number;
  language: string;
  isSelected: boolean;
  /** Whether it is selected together with others. */
  isMarked: boolean;
  /** Of the cell that has the keyboard: how many are selected with it. */
  together: number;
  isEditing: boolean;
  /** The line to go to, counted from one. */
  led: { line: number } | undefined;
  store: NotebookStore;
  onRun: (ids: string[], then: Then) => void;
  onSave: () => void;
  name: string;
  people: LivePresence[];
  notebookID: number;
  /** Gets outputs of a cell that are not here: all of them, or what is shown at once. */
  load: (id: string, isWhole: boolean) => Promise<void>;
  /** Saves all that a cell has put out as a file of that name. */
  saveAll: (cell: CellView, name: string) => Promise<void>;
}

export const Cell = memo(function Cell({ cell, number, language, isSelected, isMarked, together, isEditing, led, store, onRun, onSave, name, people, notebookID, load, saveAll }: CellProps) {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (isSelected && !isEditing && document.activeElement !== element.current) {
      // What scrolls in it keeps the keyboard, and so does who looks for something.
      if (document.activeElement?.closest(".find") || element.current?.contains(document.activeElement?.closest(".cell-source") ?? null)) return;
      // Only when the notebook has the keyboard: not while something else is typed in.
      if (isKeyboardFree() || document.activeElement?.closest(".notebook")) element.current?.focus({ preventScroll: false });
    }
  }, [isSelected, isEditing]);
  const body = cell.type === "code" ? bodyOf(cell.source) : cell.source;
  const isMarkdown = language === "md";
  const edit = () => store.select(cell.id, true);
  const isElsewhere = (event: MouseEvent) => (event.target as HTMLElement).closest("button, a, select, input, iframe, .outputs, .editor") !== null;
  // With Shift, cells are selected and not the text between two clicks.
  const down = (event: MouseEvent) => { if (event.shiftKey && !isElsewhere(event)) event.preventDefault(); };
  const click = (event: MouseEvent) => {
    if (isElsewhere(event)) return;
    if (event.shiftKey) { store.extend(cell.id); element.current?.focus(); return; }
    if (getSelection()?.toString()) return;
    if (cell.type === "code" || isEditing) {
      const offset = offsetOfClick(event);
      if (offset !== undefined) store.cursorOf(cell.id).offset = offset;
      edit();
    }
    else store.select(cell.id);
  };
  const assistant = useAssistant(notebookID, language);
  return (
    <div ref={element} id={`cell-${cell.id}`} tabIndex={isSelected ? 0 : -1} role="group" aria-label={`Cell ${number}, ${language}${isMarked ? ", selected" : ""}`}
      className={["cell", isSelected && "selected", isMarked && "marked", isEditing && "editing", isMarkdown && "markdown", cell.run?.state].filter(Boolean).join(" ")}
      onMouseDown={down} onClick={click} onDoubleClick={(event) => { if (isMarkdown && !(event.target as HTMLElement).closest("a, button")) edit(); }}
      onFocus={(event) => { if ((event.target === element.current || event.target.matches(".cell-source")) && store.state.selected !== cell.id) store.select(cell.id); }}>
      <Gutter cell={cell} number={number} isSelected={isSelected} onRun={onRun} />
      <div className="cell-main">
        {isEditing ? (
          <Editor value={body} language={language} label={`Cell ${number}`} actions={actionsOf(cell.id, number, store, onRun, onSave)} takesFocus cursor={store.cursorOf(cell.id)} at={led} assistant={assistant} onChange={(text) => store.write(cell.id, text)} />
        ) : isMarkdown ? (
          <div className="cell-markdown">{body.trim() ? <Markdown text={body} /> : <p className="soft">Empty text. Press Enter to write.</p>}</div>
        ) : (
          <Source body={body} language={language} number={number} />
        )}
        {cell.type === "code" && <Status cell={cell} body={body} />}
        {!isMarkdown && <Collapsible cell={cell} number={number} isSelected={isSelected} name={`${name}-${number}`}
          load={(isWhole) => load(cell.id, isWhole)}
          saveAll={saveAll} onToggle={() => toggleOutputs(store, [cell.id])} onChart={(place, choice) => store.chart(cell.id, place, choice)} />}
      </div>
      <AtCell people={people} cell={cell.id} />
      <Tools store={store} id={cell.id} number={number} language={language} isSelected={isSelected} together={isMarked ? together : 1}
        onEdit={isMarkdown && !isEditing ? edit : undefined} />
    </div>
  );
});

function Source({ body, language, number }: { body: string; language: string; number: number }) {
  const element = useScrolling<HTMLPreElement>(body);
  return (
    <pre ref={element} className="cell-source" role="group" aria-label={`Text of cell ${number}`}>
      {body ? <Highlighted text={body} language={language} /> : <span className="soft">{" "}</span>}</pre>
  );
}

function actionsOf(id: string, number: number, store: NotebookStore, onRun: CellProps["onRun"], onSave: () => void): EditorAction[] {
  return [
    { id: "leave", label: "Leave the editor", keys: ["Escape"], run: () => { store.select(id); } },
    { id: "run-next", label: "Run the cell and go to the next", keys: ["Shift+Enter"], run: () => onRun([id], "next") },
    { id: "run", label: "Run the cell", keys: ["Ctrl+Enter", "Mod+Enter"], run: () => onRun([id], "stay") },
    { id: "run-insert", label: "Run the cell and insert one below", keys: ["Alt+Enter"], run: () => onRun([id], "insert") },
    { id: "save", label: "Save the notebook", keys: ["Ctrl+S", "Mod+S"], run: onSave },
    { id: "split", label: "Split the cell here", keys: ["Ctrl+Shift+Minus"], run: ({ text, offset }) => store.split(id, text, offset) },
    { id: "above", label: "Go to the cell above", keys: ["Up"], where: "start", run: () => { if (number > 1) store.move(-1, true); } },
    { id: "below", label: "Go to the cell below", keys: ["Down"], where: "end", run: () => { if (number < store.state.cells.length) store.move(1, true); } },
  ];
}

function Gutter({ cell, number, isSelected, onRun }: Pick<CellProps, "cell" | "number" | "isSelected" | "onRun">) {
  const isRunning = cell.run?.state === "running";
  return (
    <div className="cell-gutter">
      {cell.type === "code" && (
        <button type="button" className="cell-run" onClick={() => onRun([cell.id], "stay")} aria-label={`Run cell ${number}`} title="Run (Ctrl+Enter)" tabIndex={isSelected ? 0 : -1}>
          {isRunning || cell.run?.state === "waiting" ? <span className={isRunning ? "spinner" : "cell-waits"} /> : <svg width="13" height="13" viewBox="0 0 24 24" aria-hidden="true"><path d="M6 3.5v17l14-8.5z" fill="currentColor" /></svg>}
        </button>
      )}
      <span className="cell-count" title="How many cells the kernel had run">{cell.type === "code" && cell.count}</span>
    </div>
  );
}

/** @param together how many cells what is done here is for. */
function Tools({ store, id, number, language, isSelected, together, onEdit }: {
  store: NotebookStore; id: string; number: number; language: string; isSelected: boolean; together: number; onEdit: (() => void) | undefined;
}) {
  const meant = together > 1 ? `${together} cells` : "the cell";
  const isKnown = languages.some(([one]) => one === language);
  return (
    <div className="cell-tools">
      <select className="input small" value={isKnown ? language : ""} aria-label={`Language of cell ${number}`}
        onChange={(event) => store.setLanguage(store.meant(id), event.target.value)} tabIndex={isSelected ? 0 : -1}>
        {!isKnown && <option value="">{language}</option>}
        {languages.map(([one, text]) => <option key={one} value={one}>{text}</option>)}
      </select>
      {isSelected && <>
        {onEdit && <Button isSmall tone="quiet" icon="edit" aria-label="Edit the text" onClick={onEdit} />}
        {together > 1 && <span className="small soft cell-together">{together} cells</span>}
        <Button isSmall tone="quiet" icon="up" aria-label={`Move ${meant} up`} onClick={() => store.shift(store.meant(id), -1)} />
        <Button isSmall tone="quiet" icon="down" aria-label={`Move ${meant} down`} onClick={() => store.shift(store.meant(id), 1)} />
        <Button isSmall tone="quiet" icon="trash" aria-label={`Delete ${meant}`} onClick={() => removeCells(store, store.meant(id))} />
      </>}
    </div>
  );
}

/** Where in the text of a cell somebody has clicked: the browser has put its caret there. */
function offsetOfClick(event: MouseEvent): number | undefined {
  const text = (event.target as HTMLElement).closest(".cell-source");
  const caret = getSelection();
  if (!text || !caret?.anchorNode || !text.contains(caret.anchorNode)) return undefined;
  const before = document.createRange();
  before.setStart(text, 0);
  before.setEnd(caret.anchorNode, caret.anchorOffset);
  return before.toString().length;
}

function bodyOf(source: string): string { return magicOf(source)?.body ?? source; }

function Status({ cell, body }: { cell: CellView; body: string }) {
  const run = cell.run;
  if (!run) return null;
  const isOld = (run.state === "done" || run.state === "failed") && run.hash !== undefined && run.hash !== hash(body);
  return (
    <>
      <div className="row wrap"><Ending run={run} />{isOld && <div className="cell-status changed">The text has changed since it ran</div>}</div>
      {run.warning && <div className="cell-warning"><Note tone="warn">{run.warning}</Note></div>}
    </>
  );
}

function Ending({ run }: { run: CellRun }) {
  switch (run.state) {
    case "waiting": return <div className="cell-status">Waits for its turn</div>;
    case "running": return <div className="cell-status">Runs for <Span from={run.start} to={undefined} /></div>;
    case "cancelled": return <div className="cell-status">{run.start === undefined ? "Not run: what came before it failed or was cancelled" : "Not run to its end"}</div>;
    default: return run.start !== undefined && run.end !== undefined
      ? <div className="cell-status">{run.state === "failed" ? "Failed after" : "Took"} <Span from={run.start} to={run.end} /></div> : null;
  }
}
