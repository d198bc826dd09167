// A notebook: its cells, what they run on, and how it is kept.
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { ApiError } from "../api/client";
import { connection } from "../api/connection";
import { treeAddress } from "../app/router";
import { useSession } from "../app/session";
import { GoToLine } from "../output/outputs";
import { ShareButton } from "../people/share";
import { Badge, Button, Card, Failure, Heading, Loading, Note } from "../ui/parts";
import { toast, toastError } from "../ui/toast";
import { useAccess } from "./access";
import { useCellOfAddress } from "./anchor";
import { Announced } from "./announced";
import { type Asking, useAsking, useRunOfCells, useRunOfReaders } from "./asking";
import { useRoomBelow } from "./bar";
import { CellList } from "./cell-list";
import { isOutOfOrder } from "./cells";
import { useCommandKeys } from "./command-keys";
import { Conflict } from "./conflict";
import { Find, useFindKey } from "./find";
import { History } from "./history";
import { More } from "./more";
import { useAllOnPaper } from "./near";
import { BroughtBack, NotSaved, useWhereabouts } from "./notices";
import { type Opened, openNotebook } from "./opening";
import { People } from "./people";
import { QueuePanel } from "./queue";
import { Restart } from "./restart";
import { Runner } from "./runner";
import { type Saver, useSaver } from "./saver";
import { SelectionStatus } from "./selection";
import { Shortcuts } from "./shortcuts";
import { NotebookStore, useStore } from "./store";
import { Attach, SaveNote } from "./toolbar";
import { sticking, Widgets } from "./widgets";

export function NotebookPage({ notebookID, path }: { notebookID: number; path: string }) {
  const { session: { user_name: user } } = useSession();
  const [opened, setOpened] = useState<Opened>();
  const [error, setError] = useState<ApiError>();
  const [attempt, setAttempt] = useState(0);
  useEffect(() => setError(undefined), [notebookID, user]);
  // Nothing that was remembered: only what has just been read is edited.
  useEffect(() => {
    const controller = new AbortController();
    openNotebook(notebookID, user, controller.signal).then((found) => {
      if (controller.signal.aborted) return;
      setError(undefined);
      setOpened(found);
    }, (failure: unknown) => {
      if (!controller.signal.aborted) setError(failure instanceof ApiError ? failure : new ApiError("PAGE_ERROR", String(failure), 500));
    });
    return () => controller.abort();
  }, [notebookID, user, attempt]);
  // What could not be read is read when the server is back, or after a while where only that request broke.
  useEffect(() => {
    if (!error) return undefined;
    const again = () => { if (connection.isOnline && !document.hidden) setAttempt((one) => one + 1); };
    const timer = error.isPassing ? setTimeout(again, 3000) : undefined;
    const stop = connection.subscribe(again);
    document.addEventListener("visibilitychange", again);
    return () => { clearTimeout(timer); stop(); document.removeEventListener("visibilitychange", again); };
  }, [error]);
  const name = path.split("/").pop() ?? path;
  if (!opened) {
    return <div className="content"><Heading title={name} crumbs={crumbsOf(path)} />
      {error ? <Failure error={error} retry={() => setAttempt(attempt + 1)} /> : <Card isFlush><Loading lines={8} /></Card>}</div>;
  }
  return <Open key={notebookID} opened={opened} path={path} name={name} user={user} onAgain={() => { setOpened(undefined); setAttempt(attempt + 1); }} />;
}

export function crumbsOf(path: string): Array<{ text: string; to: string }> {
  const parts = path.split("/").filter(Boolean);
  return [{ text: "Workspace", to: "/workspace" }, ...parts.slice(0, -1).map((part, index) => ({
    text: part, to: treeAddress(`/${parts.slice(0, index + 1).join("/")}`),
  }))];
}

/** What is edited and what runs, for as long as the notebook is open. */
function useOpened({ content, back, drafts }: Opened, user: string) {
  const [store, takeBack] = useMemo(() => {
    const made = new NotebookStore(content);
    return [made, back ? made.bring(back) : undefined];
  }, [content, back]);
  const runner = useMemo(() => new Runner(store), [store]);
  const state = useStore(store);
  const running = useSyncExternalStore(runner.subscribe, () => runner.state);
  const saver = useSaver(store, user, back?.isConflict);
  const { adopt } = saver;
  useEffect(() => adopt(drafts), [adopt, drafts]);
  const { mayRun, mayEdit } = useAccess(content.notebook_id);
  // Before the page says so: an editor that opens meanwhile would be taken away with what is typed.
  useLayoutEffect(() => { if (mayEdit !== undefined) store.setMayEdit(mayEdit); }, [store, mayEdit]);
  useEffect(() => {
    runner.open(content);
    return () => runner.close();
  }, [runner, content]);
  runner.save = saver.save;
  runner.onConflict = () => { void saver.save(); };
  // The others see where this user is, a moment after it has changed.
  useEffect(() => {
    const timer = setTimeout(() => runner.setPlace(state.selected, state.editing !== undefined), 200);
    return () => clearTimeout(timer);
  }, [runner, state.selected, state.editing]);
  return { store, takeBack, runner, state, running, saver, mayRun, mayEdit };
}

function Open({ opened, path, name, user, onAgain }: { opened: Opened; path: string; name: string; user: string; onAgain: () => void }) {
  const { content, back } = opened;
  const { store, takeBack, runner, state, running, saver, mayRun, mayEdit } = useOpened(opened, user);
  const [isBackShown, setBackShown] = useState(back !== undefined);
  useWhereabouts(store, saver, path, running.problem);
  const [isFinding, setFinding] = useState(0);
  const find = useCallback(() => setFinding((one) => one + 1), []);
  useFindKey(find);
  useCellOfAddress(store);
  useAllOnPaper();
  const bar = useRef<HTMLDivElement>(null);
  useRoomBelow(bar);
  const asking = useAsking(store, runner, running.cluster);
  const { dialog, setDialog, run, askRestart } = asking;
  // A revision has an address.
  useEffect(() => { if (new URLSearchParams(location.search).has("revision")) setDialog("history"); }, [setDialog]);
  const onRun = useRunOfCells(store, run, mayEdit);
  const onChange = useRunOfReaders(store, run);
  const save = useCallback(() => {
    void saver.save().then((isSaved) => { if (isSaved) toast("Saved."); });
  }, [saver]);

  const lead = useCallback((count: number, line: number) => {
    if (!store.lead(count, line)) toast(`Cell [${count}] has run again since, or is not in this notebook.`);
  }, [store]);

  const interrupt = (command?: string) => { runner.interrupt(command).catch(toastError); };
  const keyDown = useCommandKeys({
    store, onRun, interrupt: () => interrupt(), restart: running.cluster ? () => askRestart(false) : undefined, showKeys: () => setDialog("shortcuts"),
    find, save,
  }, save);
  const isBusy = running.queue.length > 0;
  const widgets = running.widgets.length > 0
    && <Widgets runner={runner} widgets={running.widgets} isReadOnly={mayRun === false} notebookID={content.notebook_id} onRun={onChange} />;
  return (
    <div className={["notebook", mayEdit === false && "read-only", mayRun === false && "view-only"].filter(Boolean).join(" ")} onKeyDown={keyDown}>
      <div ref={bar} className="notebook-bar">
        <Heading title={name} crumbs={crumbsOf(store.path)} badge={<>
          {mayEdit === false ? <Badge tone="idle" title="You may not change this notebook">{mayRun ? "Run only" : "View only"}</Badge>
            : <SaveNote state={saver.state} problem={saver.problem} onSave={save} />}
          {isOutOfOrder(state.cells) && running.cluster && (
            <Button isSmall tone="quiet" icon="alert" title="Run from the top, they may do something else" onClick={() => askRestart(true)}>Ran in another order</Button>)}
        </>} actions={<>
          <People people={running.people} others={running.others} onGo={(id) => store.select(id)} />
          <Attach runner={runner} state={running} isOpen={dialog === "attach"} onOpen={() => setDialog("attach")} onClose={asking.closeChoice} />
          {isBusy ? <Button icon="stop" tone="danger" onClick={() => interrupt()}>Interrupt</Button>
            : <Button icon="play" tone="primary" disabled={mayRun === false} title={mayRun === false ? "You may look at this notebook and not run it" : undefined}
              onClick={() => run("ALL")}>Run all</Button>}
          <ShareButton type="notebooks" id={String(content.notebook_id)} name={name} isIcon />
          <More store={store} saver={saver} runner={runner} name={name} isAttached={running.cluster !== undefined} asking={asking} onFind={find} />
        </>} />
        {isFinding > 0 && <Find key={isFinding} store={store} version={state.version} onClose={() => setFinding(0)} />}
        {running.widgets.length <= sticking && widgets}
      </div>
      {running.widgets.length > sticking && widgets}
      <NotSaved store={store} saver={saver} name={name} onBack={onAgain} />
      {back && isBackShown && <BroughtBack time={back.time} isConflict={back.isConflict} onClose={() => setBackShown(false)}
        onUndo={() => { takeBack?.(); setBackShown(false); }} />}
      {isBusy && <QueuePanel queue={running.queue} cells={state.cells} onGo={(id) => store.select(id)} onCancel={interrupt} />}
      {running.message && !running.problem && <div className="notebook-note"><Note tone="warn">{running.message}</Note></div>}
      {running.problem && saver.state !== "gone" && <div className="notebook-note"><Note tone="bad">{running.problem}</Note></div>}
      <Announced cells={state.cells} />
      <SelectionStatus count={store.chosen.length} />
      <GoToLine.Provider value={lead}>
        <CellList store={store} state={state} name={name} people={running.people} onRun={onRun} onSave={save} runner={runner} />
      </GoToLine.Provider>
      <Dialogs asking={asking} store={store} runner={runner} saver={saver} />
    </div>
  );
}

function Dialogs({ asking: { dialog, setDialog, run }, store, runner, saver }: {
  asking: Asking; store: NotebookStore; runner: Runner; saver: Saver;
}) {
  const close = () => setDialog(undefined);
  return (
    <>
      {dialog === "history" && <History store={store} saver={saver} onClose={close} />}
      {dialog === "shortcuts" && <Shortcuts onClose={close} />}
      {(dialog === "restart" || dialog === "restart-run") && (
        <Restart isRun={dialog === "restart-run"} runner={runner} onClose={close} onDone={() => { if (dialog === "restart-run") run("ALL"); }} />
      )}
      {saver.state === "conflict" && <Conflict store={store} saver={saver} runner={runner} />}
    </>
  );
}
