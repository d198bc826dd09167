// A notebook: its cells, what they run on, and how it is kept.
import { KeyboardEvent, useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { call } from "../api/client";
import type { NotebookContent } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { treeAddress } from "../app/router";
import { ShareButton } from "../people/share";
import { Button, Card, Failure, Heading, Loading, Note } from "../ui/parts";
import { toast, toastError } from "../ui/toast";
import { Cell, removeCell } from "./cell";
import { Near } from "./near";
import { Conflict } from "./conflict";
import { Attach, SaveNote } from "./toolbar";
import { History } from "./history";
import { Shortcuts } from "./shortcuts";
import { Runner } from "./runner";
import { useSaver } from "./saver";
import { NotebookStore, useStore } from "./store";
import { save as saveFile } from "../output/table";

export function NotebookPage({ notebookID, path }: { notebookID: number; path: string }) {
  const [content, setContent] = useState<NotebookContent>();
  const first = useQuery(`notebook/${notebookID}`, (signal) => call("getNotebook", { notebook_id: notebookID }, signal));
  // What was remembered may be old: only what has just been read is edited.
  useEffect(() => {
    const controller = new AbortController();
    call("getNotebook", { notebook_id: notebookID }, controller.signal).then(setContent, () => undefined);
    return () => controller.abort();
  }, [notebookID]);
  const name = path.split("/").pop() ?? path;
  if (!content) {
    return <div className="content"><Heading title={name} crumbs={crumbsOf(path)} />
      {first.error ? <Failure error={first.error} retry={first.refresh} /> : <Card isFlush><Loading lines={8} /></Card>}</div>;
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
  const [dialog, setDialog] = useState<"history" | "shortcuts" | "attach">();
  const isBusy = running.queue.length > 0;

  useEffect(() => {
    void runner.resume();
    return () => runner.close();
  }, [runner]);

  // When everything has run, its outputs are saved, and then nothing has to be taken up again.
  const wasBusy = useRef(false);
  useEffect(() => {
    if (wasBusy.current && !isBusy) void saver.save().then((isSaved) => { if (isSaved) runner.forget(); });
    wasBusy.current = isBusy;
  }, [isBusy, saver, runner]);

  // What was to be run when there was no cluster yet runs as soon as one is chosen.
  const wanted = useRef<string[]>([]);
  const run = useCallback((ids: string[]) => {
    if (!runner.state.cluster) { wanted.current = ids; setDialog("attach"); return; }
    runner.run(ids);
  }, [runner]);
  const closeChoice = () => {
    setDialog(undefined);
    if (runner.state.cluster && wanted.current.length > 0) runner.run(wanted.current);
    wanted.current = [];
  };

  const onRun = useCallback((id: string, then: "stay" | "next" | "insert") => {
    const cell = store.cell(id);
    if (!cell) return;
    if (cell.type === "code") run([id]);
    const at = store.index(id);
    if (then === "insert") store.insert(at + 1, {}, true);
    else if (then === "next") {
      const next = store.state.cells[at + 1];
      if (next) store.select(next.id);
      else store.insert(at + 1, {}, true);
    } else store.select(id, cell.type === "code" && store.state.editing === id);
  }, [store, run]);

  const save = useCallback(() => {
    void saver.save().then((isSaved) => { if (isSaved) toast("Saved."); });
  }, [saver]);

  const pressed = useRef<{ key: string; time: number }>({ key: "", time: 0 });
  const keyDown = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if ((event.ctrlKey || event.metaKey) && event.key === "s") { event.preventDefault(); save(); return; }
    if (target.closest(".editor, input, textarea, select, dialog, .data, iframe")) return;
    const isTwice = pressed.current.key === event.key && event.timeStamp - pressed.current.time < 600;
    const action = command(event, isTwice);
    pressed.current = isTwice ? { key: "", time: 0 } : { key: event.key, time: event.timeStamp };
    if (action) { event.preventDefault(); action(); }
  };

  /** The keys of Jupyter's command mode. */
  const command = (event: KeyboardEvent, isTwice: boolean): (() => void) | undefined => {
    const id = state.selected;
    const onButton = (event.target as HTMLElement).closest("button, a") !== null;
    if (!id) return undefined;
    if (event.key === "Enter") {
      if (onButton) return undefined;
      if (event.shiftKey) return () => onRun(id, "next");
      if (event.ctrlKey || event.metaKey) return () => onRun(id, "stay");
      if (event.altKey) return () => onRun(id, "insert");
      return () => store.select(id, true);
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
    const at = store.index(id);
    switch (event.key) {
      case "ArrowDown": case "j": return () => store.move(1);
      case "ArrowUp": case "k": return () => store.move(-1);
      case "a": return () => { store.insert(at); };
      case "b": return () => { store.insert(at + 1); };
      case "m": return () => store.setLanguage(id, "md");
      case "y": return () => store.setLanguage(id, store.language);
      case "z": return () => store.undo();
      case "d": return isTwice ? () => removeCell(store, id) : undefined;
      case "i": return isTwice ? () => { runner.interrupt().catch(toastError); } : undefined;
      case "0": return isTwice ? () => { runner.restart().then(() => toast("The kernel was restarted."), toastError); } : undefined;
      case "?": return () => setDialog("shortcuts");
      default: return undefined;
    }
  };

  const codeIDs = () => state.cells.filter((cell) => cell.type === "code").map((cell) => cell.id);
  const download = () => saveFile(`${name}.ipynb`, "application/x-ipynb+json", JSON.stringify(store.serialize(), null, 1) + "\n");
  return (
    <div className="notebook" onKeyDown={keyDown}>
      <div className="notebook-bar">
        <Heading title={name} crumbs={crumbsOf(store.path)} badge={<SaveNote state={saver.state} problem={saver.problem} onSave={save} />} actions={<>
          <Attach runner={runner} state={running} isOpen={dialog === "attach"} onOpen={() => setDialog("attach")} onClose={closeChoice} />
          {isBusy ? <Button icon="stop" tone="danger" onClick={() => { runner.interrupt().catch(toastError); }}>Interrupt</Button>
            : <Button icon="play" tone="primary" onClick={() => run(codeIDs())}>Run all</Button>}
          <Button icon="refresh" aria-label="Restart the kernel" disabled={!running.cluster}
            onClick={() => { runner.restart().then(() => toast("The kernel was restarted: its variables are gone."), toastError); }} />
          <ShareButton type="notebooks" id={String(content.notebook_id)} name={name} isIcon />
          <Button icon="history" aria-label="Revisions" onClick={() => setDialog("history")} />
          <Button icon="download" aria-label="Save as .ipynb" onClick={download} />
          <Button icon="keyboard" aria-label="Keys" onClick={() => setDialog("shortcuts")} />
        </>} />
      </div>
      {running.problem && <div className="notebook-note"><Note tone="bad">{running.problem}</Note></div>}
      <div className="cells">
        {state.cells.map((cell, index) => (
          <div key={cell.id} className="cell-place">
            <Insert onInsert={(kind) => store.insert(index, kind, true)} />
            <Near cell={cell} isNearAtFirst={index < 10 || state.selected === cell.id}>
              <Cell cell={cell} number={index + 1} language={store.languageOf(cell)} isSelected={state.selected === cell.id}
                isEditing={state.editing === cell.id} store={store} onRun={onRun} onSave={save} name={name} />
            </Near>
          </div>
        ))}
        <Insert onInsert={(kind) => store.insert(state.cells.length, kind, true)} isLast />
      </div>
      {dialog === "history" && <History store={store} saver={saver} onClose={() => setDialog(undefined)} />}
      {dialog === "shortcuts" && <Shortcuts onClose={() => setDialog(undefined)} />}
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
