// A text file being edited. Nothing is saved over what somebody else has saved meanwhile, and what is not saved is kept in the
// browser.
import { useCallback, useRef, useState } from "react";
import { ApiError, addressOf, call, isRefusal } from "../api/client";
import type { ObjectInfo } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { navigate } from "../app/router";
import type { Found } from "../drafts/shelf";
import Editor from "../code/editor";
import type { EditorAction } from "../code/editing";
import { base64 } from "../notebook/saver";
import { Button, Card, Failure, Loading, Note } from "../ui/parts";
import { moment } from "../ui/time";
import { toast } from "../ui/toast";
import { type FileDraft, endedAs, useUnsaved } from "./text-draft";

/** Lines end as they have ended. */
interface Text { lines: string; isWindows: boolean }

async function textOf(object: ObjectInfo, signal: AbortSignal): Promise<Text> {
  const answer = await fetch(addressOf("downloadFile", { path: object.path, revision_id: object.revision_id }), { signal });
  if (!answer.ok) throw new Error(`The file could not be read (${answer.status}). Reload the page and try again.`);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await answer.arrayBuffer());
  } catch {
    throw new Error("This file is no text in UTF-8. Download it to edit it elsewhere.");
  }
  const plain = text.replaceAll("\r\n", "\n");
  const isWindows = plain.length < text.length;
  if (plain.includes("\r") || (isWindows && plain.split("\n").length !== text.split("\r\n").length)) {
    throw new Error("The lines of this file end in different ways, of which an editor would keep only one. Download it to edit it elsewhere.");
  }
  return { lines: plain, isWindows };
}

interface EditorOfFile {
  object: ObjectInfo; draft: Found<FileDraft> | undefined; onClose: (isChanged: boolean) => void;
  /** The file as it is since it was saved here. */
  onSaved: (object: ObjectInfo) => void;
}

export function TextEditor({ object: current, draft: left, onClose, onSaved }: EditorOfFile) {
  // What others save meanwhile is told when this is saved, and does not take its place.
  const [object] = useState(current);
  const [draft] = useState(left);
  const loaded = useQuery(`text${object.path}/${object.revision_id}`, (signal) => textOf(object, signal));
  return loaded.data ? <Editing object={object} first={loaded.data} draft={draft} onClose={onClose} onSaved={onSaved} />
    : loaded.error ? <><Failure error={loaded.error} retry={loaded.refresh} /><Button onClick={() => onClose(false)}>Back</Button></>
      : <Card isFlush><Loading lines={8} /></Card>;
}

function Editing({ object, first, draft, onClose, onSaved }: EditorOfFile & { first: Text }) {
  const [text, setText] = useState(draft?.content.lines ?? first.lines);
  const [saved, setSaved] = useState(first.lines);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  // What was typed on top of an older revision is not saved over the newer one without a question.
  const [standing, setStanding] = useState<"same" | "theirs" | "gone">(
    draft && draft.content.base !== object.revision_id && draft.content.lines !== first.lines ? "theirs" : "same");
  const [isBackShown, setBackShown] = useState(draft !== undefined && draft.content.lines !== first.lines);
  // An editor is made anew for a text that did not come from it.
  const [edition, setEdition] = useState(0);
  const revision = useRef(standing === "theirs" ? draft?.content.base : object.revision_id);
  /** What may have been saved without our having heard of it. */
  const sent = useRef<string>();
  const latest = useRef({ text, saved });
  const write = (next: string) => { latest.current.text = next; setText(next); keeper.soon(); };
  const name = object.path.split("/").pop() ?? object.path;
  const isDirty = text !== saved;
  const keeper = useUnsaved(object, draft, latest, revision, first.isWindows, () => save());

  /** Where the answer to a save was lost, what is there may be what was sent: then it is nobody else's. */
  const catchUp = useCallback(async () => {
    if (sent.current === undefined) return;
    const now = await call("getObject", { path: object.path });
    if (now.revision_id !== revision.current && (await textOf(now, new AbortController().signal)).lines === sent.current) {
      revision.current = now.revision_id;
    }
    sent.current = undefined;
  }, [object.path]);

  const saveOnce = useCallback(async () => {
    const lines = latest.current.text;
    setBusy(true);
    setProblem(undefined);
    try {
      await catchUp();
      const made = await call("importObject", { body: {
        path: object.path, content: base64(endedAs(lines, first.isWindows)), format: "AUTO", overwrite: true,
        expected_revision_id: revision.current } }).catch((error: unknown) => {
        if (!isRefusal(error)) sent.current = lines;
        throw error;
      });
      revision.current = made.revision_id;
      latest.current.saved = lines;
      setSaved(lines);
      setStanding("same");
      onSaved(made);
      keeper.now();
      toast("Saved.");
      return true;
    } catch (error) {
      const isTheirs = error instanceof ApiError && error.code === "RESOURCE_CONFLICT";
      if (isTheirs) setStanding(await isGone(object) ? "gone" : "theirs");
      else setProblem(error instanceof Error ? error.message : String(error));
      return false;
    } finally {
      setBusy(false);
    }
  }, [object, first.isWindows, catchUp, keeper, onSaved]);

  const saving = useRef<Promise<boolean>>();
  /** One at a time: a second one would be in conflict with the first, and has nothing to add where nothing was typed since. */
  const save = useCallback((): Promise<boolean> => {
    const before = saving.current;
    const mine = (async () => (before && await before && latest.current.text === latest.current.saved) || saveOnce())();
    const done = () => { if (saving.current === mine) saving.current = undefined; };
    saving.current = mine;
    mine.then(done, done);
    return mine;
  }, [saveOnce]);

  /** What somebody else has saved becomes the revision before this one; what is gone is made again. */
  const saveOnTop = async () => {
    try {
      revision.current = standing === "gone" ? undefined : (await call("getObject", { path: object.path })).revision_id;
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      return;
    }
    await save();
  };
  const actions: EditorAction[] = [
    { id: "save", label: "Save the file", keys: ["Ctrl+S", "Mod+S"], run: () => { void save(); } },
    // Tab is a letter there: without this the keyboard could not get to anything else.
    { id: "leave", label: "Leave the editor", keys: ["Escape"], run: () => { document.getElementById("content")?.focus({ preventScroll: true }); } },
  ];
  /** Nothing of it is to come back. */
  const leave = (isChanged: boolean) => {
    latest.current = { text: saved, saved };
    keeper.drop();
    onClose(isChanged);
  };
  const takeBack = () => { write(saved); setEdition(edition + 1); setBackShown(false); };
  return (
    <>
      {standing === "theirs" && (
        <Note tone="warn">Somebody else has saved this file since you opened it.{" "}
          <Button isSmall onClick={() => { void saveOnTop(); }}>Save mine on top</Button>{" "}
          <Button isSmall onClick={() => leave(true)}>Drop mine, take theirs</Button></Note>
      )}
      {standing === "gone" && (
        <Note tone="warn">{name} was deleted or moved. What you typed is still here.{" "}
          <Button isSmall onClick={() => { void saveOnTop(); }}>Save it here again</Button>{" "}
          <Button isSmall onClick={() => navigate("/trash")}>Look into the trash</Button></Note>
      )}
      {draft && isBackShown && (
        <Note><div className="row spread wrap"><span role="status">We brought back what you typed {moment(draft.time)}, which was not saved.</span>
          <span className="row"><Button isSmall onClick={takeBack}>Undo</Button>
            <Button isSmall tone="quiet" icon="close" aria-label="Dismiss what came back" onClick={() => setBackShown(false)} /></span></div></Note>
      )}
      {problem && <Note tone="bad">{problem}</Note>}
      <Card title={<span role="status">{isDirty ? "Not saved yet" : "Saved"}</span>} isFlush actions={<>
        <Button isSmall tone="quiet" onClick={() => { if (!isDirty || confirm("Drop what is not saved?")) leave(true); }}>Close</Button>
        <Button isSmall tone="primary" isBusy={isBusy} disabled={!isDirty} onClick={() => { void save(); }}>Save</Button></>}>
        <div className="file-editor">
          <Editor key={edition} value={text} language={name.split(".").pop()?.toLowerCase() ?? ""} label={name} shape="page" takesFocus actions={actions} onChange={write} />
        </div>
      </Card>
    </>
  );
}

const isGone = (object: ObjectInfo) => call("getObject", { path: object.path }).then(() => false, (error: unknown) => error instanceof ApiError && error.status === 404);
