// What to know about a notebook's text: that it came back, that the notebook is gone, or that it is refused.
import { useEffect, useRef, useState } from "react";
import { ApiError, call, pages } from "../api/client";
import { connection } from "../api/connection";
import type { TrashEntry } from "../api/generated/contract";
import { remember } from "../api/query";
import { fromHere, navigate, treeAddress } from "../app/router";
import { Button, Dialog, Field, Note } from "../ui/parts";
import { moment } from "../ui/time";
import { toast, toastError } from "../ui/toast";
import { fileOfMine, isInPart } from "./mine";
import { type Saver, base64, shownOutputs } from "./saver";
import type { NotebookStore } from "./store";

/** Says that something that was typed earlier is here again, which is no news once it was taken back. */
export function BroughtBack({ time, isConflict, onUndo, onClose }: { time: number; isConflict: boolean; onUndo: () => void; onClose: () => void }) {
  return (
    <div className="notebook-note"><Note><div className="row spread wrap">
      <span role="status">We brought back what you typed {moment(time)}, which was not saved.{isConflict && " Somebody else has changed the same since."}</span>
      <span className="row">{!isConflict && <Button isSmall onClick={onUndo}>Undo</Button>}
        <Button isSmall tone="quiet" icon="close" aria-label="Dismiss what came back" onClick={onClose} /></span></div></Note></div>
  );
}

/** The notebook is not there any more, or its user may not save it: what is here can go elsewhere. */
export function NotSaved({ store, saver, name, onBack }: { store: NotebookStore; saver: Saver; name: string; onBack: () => void }) {
  const [isAsking, setAsking] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const isGone = saver.state === "gone";
  if (!isGone && saver.state !== "failed") return null;
  const restore = () => {
    setBusy(true);
    restored(store).then(async () => {
      saver.settle();
      if (await saver.save()) { toast(`${name} is back.`); onBack(); }
    }).catch(toastError).finally(() => setBusy(false));
  };
  return (
    <div className="notebook-note"><Note tone="bad"><div className="row spread wrap">
      <span>{isGone ? `${name} was deleted. ` : `${saver.problem ?? "It could not be saved."} `}{store.isDirty ? "What you typed" : "Its text"} is still here{isGone ? "." : ", and this browser keeps it."}</span>
      <span className="row">
        {isGone ? <Button isSmall isBusy={isBusy} onClick={restore}>Restore from the trash</Button>
          : <Button isSmall onClick={() => { void saver.save(); }}>Try again</Button>}
        <Button isSmall onClick={() => setAsking(true)}>Save as a new notebook</Button></span></div></Note>
      {isAsking && <SaveAsNew store={store} saver={saver} isGone={isGone} first={isGone ? store.path : `${store.path} (copy)`} onClose={() => setAsking(false)} />}
    </div>
  );
}

/** Takes the notebook, or the folder that it was in, out of the trash. */
async function restored(store: NotebookStore): Promise<void> {
  const deletions = await pages<TrashEntry>(async (token) => {
    const page = await call("listTrash", { page_size: 200, page_token: token });
    return { items: page.deletions, token: page.next_page_token };
  });
  const mine = deletions.filter(({ path }) => path === store.path || store.path.startsWith(`${path}/`))
    .sort((one, other) => other.deleted_time - one.deleted_time)[0];
  // Somebody may have brought it back already.
  if (mine) await call("restoreDeletion", { deletion_id: mine.deletion_id, body: {} });
  try {
    store.path = (await call("getNotebook", { notebook_id: store.notebookID, ...shownOutputs })).path;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) {
      throw new Error("It is not in the trash any more, or not yours to restore. Save what is here as a new notebook.");
    }
    throw error;
  }
}

function SaveAsNew({ store, saver, first, isGone, onClose }: { store: NotebookStore; saver: Saver; first: string; isGone: boolean; onClose: () => void }) {
  const [path, setPath] = useState(first);
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const save = () => {
    setBusy(true);
    const go = fromHere();
    const isCut = isGone && isInPart(store);
    // What is gone has no outputs any more but those that are here.
    (isGone ? Promise.resolve(store.serialize()) : fileOfMine(store, store.path)).then((mine) => call("importObject", {
      body: { path, content: base64(JSON.stringify(mine, null, 1) + "\n"), format: "JUPYTER" },
    })).then((made) => {
      saver.forget();
      toast(isCut ? `Saved as ${made.path}, without the outputs that were too large to be here.` : `Saved as ${made.path}.`, isCut ? "plain" : "good");
      go(treeAddress(made.path), { replace: true });
      onClose();
    }, (error: unknown) => { setBusy(false); setProblem(error instanceof Error ? error.message : String(error)); });
  };
  return (
    <Dialog title="Save as a new notebook" onClose={onClose} foot={<Button tone="primary" isBusy={isBusy} onClick={save}>Save</Button>}>
      <form className="dialog-body" onSubmit={(event) => { event.preventDefault(); save(); }}>
        <Field label="Path" problem={problem} hint={isGone ? "Its cells, with what they put out as far as it is here." : "Its cells, with what they put out."}>
          {(id, described) => <input id={id} className="input mono" value={path} aria-describedby={described} aria-invalid={problem !== undefined} spellCheck={false}
            onChange={(event) => { setPath(event.target.value); setProblem(undefined); }} />}
        </Field>
      </form>
    </Dialog>
  );
}

/**
 * Where the notebook is: looked for when something was saved, when the tab comes into sight and when the server is back.
 *
 * @param problem what does not work in it, which may be because it is gone.
 */
export function useWhereabouts(store: NotebookStore, saver: Saver, first: string, problem: string | undefined): void {
  const { revisionID } = store.state;
  const opened = useRef(revisionID);
  const { miss } = saver;
  useEffect(() => {
    const controller = new AbortController();
    const find = async () => {
      const there = await call("getObject", { path: store.path }, controller.signal).catch(ifMissing);
      if (there?.object_id === store.notebookID) return;
      const content = await call("getNotebook", { notebook_id: store.notebookID, ...shownOutputs }, controller.signal).catch(ifMissing);
      if (!content) miss();
      else if (content.path !== store.path) await follow(store, content.path, controller.signal);
    };
    const look = () => { if (!document.hidden && connection.isOnline) find().catch(() => { /* It is looked for the next time. */ }); };
    if (revisionID !== opened.current || problem !== undefined) look();
    document.addEventListener("visibilitychange", look);
    const stop = connection.subscribe(look);
    return () => {
      controller.abort();
      stop();
      document.removeEventListener("visibilitychange", look);
    };
  }, [store, revisionID, miss, problem]);
  // It may have been told of with what others have saved, too.
  const { path } = store;
  useEffect(() => {
    if (path === first) return undefined;
    const controller = new AbortController();
    follow(store, path, controller.signal).catch(toastError);
    return () => controller.abort();
  }, [store, path, first]);
}

function ifMissing(error: unknown): undefined {
  if (error instanceof ApiError && error.status === 404) return undefined;
  throw error;
}

/** The page goes with the notebook. */
async function follow(store: NotebookStore, path: string, signal: AbortSignal): Promise<void> {
  const object = await call("getObject", { path }, signal);
  if (object.object_id !== store.notebookID || treeAddress(path) === location.pathname) return;
  store.path = path;
  remember(`object${path}`, object);
  navigate(treeAddress(path) + location.hash, { replace: true });
  toast(`This notebook was moved: it is at ${path} now.`, "plain");
}
