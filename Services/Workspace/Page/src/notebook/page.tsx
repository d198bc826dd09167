// A notebook: its cells, what they run on, and how it is kept.
import { KeyboardEvent, useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { ApiError, call } from "../api/client";
import type { NotebookContent, RunScope } from "../api/generated/contract";
import { connection } from "../api/connection";
import { treeAddress } from "../app/router";
import { useCellOfAddress } from "./anchor";
import { ShareButton } from "../people/share";
import { Button, Card, Failure, Heading, Loading, Note } from "../ui/parts";
import { GoToLine } from "../output/outputs";
import { toast, toastError } from "../ui/toast";
import { useAccess } from "./access";
import { Cell } from "./cell";
import { isOutOfOrder } from "./cells";
import { heightOf, useWidthOfOutputs } from "./heights";
import { isFolded } from "./hidden";
import { Near, useAllOnPaper } from "./near";
import { useRoomBelow } from "./bar";
import { Conflict } from "./conflict";
import { Attach, SaveNote } from "./toolbar";
import { History } from "./history";
import { type Then, commandOf } from "./keys";
import { keepInPlace, Place } from "./place";
import { SelectionStatus } from "./selection";
import { Restart } from "./restart";
import { Shortcuts } from "./shortcuts";
import { Menu, MenuItem } from "../ui/menu";
import { Runner } from "./runner";
import { outputLimit, useSaver } from "./saver";
import { People } from "./people";
import { QueuePanel } from "./queue";
import { sticking, Widgets } from "./widgets";
import { NotebookStore, useStore } from "./store";
import { save as saveFile } from "../output/table";

export function NotebookPage({ notebookID, path }: { notebookID: number; path: string }) {
  const [content, setContent] = useState<NotebookContent>();
  const [error, setError] = useState<ApiError>();
  const [attempt, setAttempt] = useState(0);
  // Nothing that was remembered: only what has just been read is edited.
  useEffect(() => {
    const controller = new AbortController();
    setError(undefined);
    call("getNotebook", { notebook_id: notebookID, output_limit: outputLimit }, controller.signal).then(setContent, (failure: unknown) => {
      if (!controller.signal.aborted) setError(failure instanceof ApiError ? failure : new ApiError("PAGE_ERROR", String(failure), 500));
    });
    return () => controller.abort();
  }, [notebookID, attempt]);
  // What could not be read is read when the server is back.
  useEffect(() => error && connection.subscribe(() => { if (connection.isOnline) setAttempt((one) => one + 1); }), [error]);
  const name = path.split("/").pop() ?? path;
  if (!content) {
    return <div className="content"><Heading title={name} crumbs={crumbsOf(path)} />
      {error ? <Failure error={error} retry={() => setAttempt(attempt + 1)} /> : <Card isFlush><Loading lines={8} /></Card>}</div>;
  }
  return <Open key={content.notebook_id} content={content} name={name} />;
}

export function crumbsOf(path: string): Array<{ text: string; to: string }> {
  const parts = path.split("/").filter(Boolean);
  return [{ text: "Workspace", to: "/workspace" }, ...parts.slice(0, -1).map((part, index) => ({
    text: part, to: treeAddress(`/${parts.slice(0, index + 1).join("/")}`),
  }))];
}

function Open({ content, name }: { content: NotebookContent; name: string }) {
  const store = useMemo(() => new NotebookStore(content), [content]);
  const runner = useMemo(() => new Runner(store), [store]);
  const state = useStore(store);
  const running = useSyncExternalStore(runner.subscribe, () => runner.state);
  const saver = useSaver(store);
  const [dialog, setDialog] = useState<"history" | "shortcuts" | "attach" | "restart" | "restart-run">();
  const isBusy = running.queue.length > 0;
  const { mayRun, mayEdit } = useAccess(content.notebook_id);
  useEffect(() => { if (mayEdit !== undefined) store.setMayEdit(mayEdit); }, [store, mayEdit]);

  useEffect(() => {
    runner.open(content);
    return () => runner.close();
  }, [runner, content]);
  useCellOfAddress(store);
  useAllOnPaper();
  const width = useWidthOfOutputs();
  const bar = useRef<HTMLDivElement>(null);
  useRoomBelow(bar);
  runner.save = saver.save;
  runner.onConflict = () => { void saver.save(); };

  // The others see where this user is, a moment after it has changed.
  useEffect(() => {
    const timer = setTimeout(() => runner.setPlace(state.selected, state.editing !== undefined), 200);
    return () => clearTimeout(timer);
  }, [runner, state.selected, state.editing]);

  // What was to be run when there was no cluster yet runs as soon as one is chosen.
  const wanted = useRef<(() => void) | undefined>();
  const run = useCallback((scope: RunScope, ids: string[] = []) => {
    runner.asked += 1;
    const begin = () => { void runner.run(scope, ids); };
    if (!runner.state.cluster) { wanted.current = begin; setDialog("attach"); return; }
    begin();
  }, [runner]);
  const askRestart = (isRun: boolean) => {
    runner.asked += 1;
    setDialog(isRun ? "restart-run" : "restart");
  };
  const closeChoice = (isChosen: boolean) => {
    setDialog(undefined);
    if (isChosen) wanted.current?.();
    wanted.current = undefined;
  };
  // Also when it was chosen already, and that was not known here yet.
  useEffect(() => { if (running.cluster && wanted.current) closeChoice(true); }, [running.cluster]);
  // What had the keyboard before a dialog may be gone with it: a cell that was run from its editor, for one.
  useEffect(() => {
    if (dialog || document.activeElement !== document.body) return;
    const cell = document.getElementById(`cell-${store.state.selected}`);
    (cell?.querySelector<HTMLElement>(".editor textarea") ?? cell)?.focus({ preventScroll: true });
  }, [dialog, store]);

  const onRun = useCallback((ids: string[], then: Then) => {
    const cells = ids.map((id) => store.cell(id));
    const last = cells[cells.length - 1];
    if (!last) return;
    const code = cells.flatMap((cell) => cell?.type === "code" && cell.source.trim() !== "" ? [cell.id] : []);
    if (code.length > 0) run("SELECTED", code);
    const at = store.index(last.id);
    if (then === "insert") store.insert(at + 1, {}, true);
    else if (then === "next") {
      const next = store.state.cells[at + 1];
      if (next) store.select(next.id);
      // Whoever may not change the notebook stays at its end: a cell more could not be saved, and nothing is run before.
      else if (mayEdit !== false) store.insert(at + 1, {}, true);
    } else store.select(last.id, last.type === "code" && store.state.editing === last.id);
  }, [store, run, mayEdit]);

  const save = useCallback(() => {
    void saver.save().then((isSaved) => { if (isSaved) toast("Saved."); });
  }, [saver]);

  const lead = useCallback((count: number, line: number) => {
    if (!store.lead(count, line)) toast(`Cell [${count}] has run again since, or is not in this notebook.`);
  }, [store]);

  const pressed = useRef<{ key: string; time: number }>({ key: "", time: 0 });
  const keyDown = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if ((event.ctrlKey || event.metaKey) && event.key === "s") { event.preventDefault(); save(); return; }
    if (target.closest(".editor, .widgets, input, textarea, select, dialog, .data, iframe")) return;
    const isTwice = pressed.current.key === event.key && event.timeStamp - pressed.current.time < 600;
    const action = commandOf(event, isTwice, {
      store, onRun, interrupt: () => { runner.interrupt().catch(toastError); },
      restart: running.cluster ? () => askRestart(false) : undefined, showKeys: () => setDialog("shortcuts"),
    });
    pressed.current = isTwice ? { key: "", time: 0 } : { key: event.key, time: event.timeStamp };
    if (action) { event.preventDefault(); action(); }
  };

  // The server has all outputs whole.
  const download = () => {
    void saver.save().then(() => call("exportObject", { path: store.path, format: "JUPYTER" })).then((file) => {
      saveFile(`${name}.ipynb`, "application/x-ipynb+json", Uint8Array.from(atob(file.content), (one) => one.charCodeAt(0)));
    }).catch(toastError);
  };
  const chosen = store.chosen;
  const isSeveral = chosen.length > 1;
  const hide = (hidden: boolean) => keepInPlace(state.selected, () => store.hideOutputs(hidden));
  const more: MenuItem[] = [
    { text: "Run all cells above", icon: "up", isDisabled: !chosen[0], run: () => run("ABOVE", chosen.slice(0, 1)) },
    { text: "Run this cell and all below", icon: "down", isDisabled: !chosen[0], run: () => run("BELOW", chosen.slice(0, 1)) },
    { text: "Restart the kernel", icon: "refresh", isDisabled: !running.cluster, run: () => askRestart(false) },
    { text: "Restart and run all", icon: "play", isDisabled: !running.cluster, run: () => askRestart(true) },
    { text: "Select all cells", icon: "check", run: () => store.selectAll() },
    { text: "Collapse all outputs", icon: "chevron", run: () => hide(true) },
    { text: "Expand all outputs", icon: "chevronDown", run: () => hide(false) },
    { text: isSeveral ? `Clear the outputs of ${chosen.length} cells` : "Clear the outputs of this cell", icon: "close", isDisabled: !chosen[0],
      run: () => store.clearOutputs(chosen) },
    { text: "Clear all outputs", icon: "close", run: () => store.clearOutputs() },
    { text: "Make a job of it", icon: "clock", to: `/jobs/new?notebook=${encodeURIComponent(store.path)}` },
    { text: "Revisions", icon: "history", run: () => setDialog("history") },
    { text: "Save as .ipynb", icon: "download", run: download },
    { text: "Keys", icon: "keyboard", run: () => setDialog("shortcuts") },
  ];
  const widgets = running.widgets.length > 0
    && <Widgets runner={runner} widgets={running.widgets} isReadOnly={mayRun === false} notebookID={content.notebook_id} onRun={() => run("ALL")} />;
  return (
    <div className="notebook" onKeyDown={keyDown}>
      <div ref={bar} className="notebook-bar">
        <Heading title={name} crumbs={crumbsOf(store.path)} badge={<>
          <SaveNote state={saver.state} problem={saver.problem} onSave={save} />
          {isOutOfOrder(state.cells) && running.cluster && (
            <Button isSmall tone="quiet" icon="alert" title="Run from the top, they may do something else" onClick={() => askRestart(true)}>Ran in another order</Button>)}
        </>} actions={<>
          <People people={running.people} others={running.others} onGo={(id) => store.select(id)} />
          <Attach runner={runner} state={running} isOpen={dialog === "attach"} onOpen={() => setDialog("attach")} onClose={closeChoice} />
          {isBusy ? <Button icon="stop" tone="danger" onClick={() => { runner.interrupt().catch(toastError); }}>Interrupt</Button>
            : <Button icon="play" tone="primary" onClick={() => run("ALL")}>Run all</Button>}
          <ShareButton type="notebooks" id={String(content.notebook_id)} name={name} isIcon />
          <Menu label="More" items={more} />
        </>} />
        {running.widgets.length <= sticking && widgets}
      </div>
      {running.widgets.length > sticking && widgets}
      {isBusy && <QueuePanel queue={running.queue} cells={state.cells} onGo={(id) => store.select(id)}
        onCancel={(id) => { runner.interrupt(id).catch(toastError); }} />}
      {running.message && !running.problem && <div className="notebook-note"><Note tone="warn">{running.message}</Note></div>}
      {running.problem && <div className="notebook-note"><Note tone="bad">{running.problem}</Note></div>}
      <SelectionStatus count={chosen.length} />
      <GoToLine.Provider value={lead}>
        <div className="cells">
          {state.cells.map((cell, index) => (
            <Place key={cell.id} isEditing={state.editing === cell.id} isHidden={isFolded(cell)} height={heightOf(cell, width)}>
              <Insert onInsert={(kind) => store.insert(index, kind, true)} />
              <Near cell={cell} index={index} isNearAtFirst={index < 10 || state.selected === cell.id}>
                <Cell cell={cell} number={index + 1} language={store.languageOf(cell)} isSelected={state.selected === cell.id}
                  isMarked={isSeveral && state.marked.has(cell.id)} together={state.selected === cell.id ? chosen.length : 0}
                  isEditing={state.editing === cell.id} led={state.led?.id === cell.id ? state.led : undefined} store={store} onRun={onRun} onSave={save} name={name} people={running.people} notebookID={store.notebookID} />
              </Near>
            </Place>
          ))}
          <Insert onInsert={(kind) => store.insert(state.cells.length, kind, true)} isLast />
        </div>
      </GoToLine.Provider>
      {dialog === "history" && <History store={store} saver={saver} onClose={() => setDialog(undefined)} />}
      {dialog === "shortcuts" && <Shortcuts onClose={() => setDialog(undefined)} />}
      {(dialog === "restart" || dialog === "restart-run") && (
        <Restart isRun={dialog === "restart-run"} runner={runner} onClose={() => setDialog(undefined)} onDone={() => { if (dialog === "restart-run") run("ALL"); }} />
      )}
      {saver.state === "conflict" && <Conflict store={store} saver={saver} />}
    </div>
  );
}

function Insert({ onInsert, isLast }: { onInsert: (kind: { type: "code" | "markdown" }) => void; isLast?: boolean }) {
  return (
    <div className={isLast ? "insert last" : "insert"}>
      <button type="button" tabIndex={isLast ? 0 : -1} onClick={() => onInsert({ type: "code" })}>+ Code</button>
      <button type="button" tabIndex={isLast ? 0 : -1} onClick={() => onInsert({ type: "markdown" })}>+ Text</button>
    </div>
  );
}
