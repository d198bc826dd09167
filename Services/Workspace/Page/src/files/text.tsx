// A text file being edited. Nothing is saved over what somebody else has saved meanwhile.
import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError, addressOf, call, isRefusal } from "../api/client";
import type { ObjectInfo } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { guardLeaving } from "../app/router";
import Editor from "../code/editor";
import type { EditorAction } from "../code/editing";
import { base64 } from "../notebook/saver";
import { Button, Card, Failure, Loading, Note } from "../ui/parts";
import { toast } from "../ui/toast";

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

export function TextEditor({ object: current, onClose }: { object: ObjectInfo; onClose: (isChanged: boolean) => void }) {
  // What others save meanwhile is told when this is saved, and does not take its place.
  const [object] = useState(current);
  const loaded = useQuery(`text${object.path}/${object.revision_id}`, (signal) => textOf(object, signal));
  return loaded.data ? <Editing object={object} first={loaded.data} onClose={onClose} />
    : loaded.error ? <><Failure error={loaded.error} retry={loaded.refresh} /><Button onClick={() => onClose(false)}>Back</Button></>
      : <Card isFlush><Loading lines={8} /></Card>;
}

function Editing({ object, first, onClose }: { object: ObjectInfo; first: Text; onClose: (isChanged: boolean) => void }) {
  const [text, setText] = useState(first.lines);
  const [saved, setSaved] = useState(first.lines);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const [isConflict, setConflict] = useState(false);
  const revision = useRef(object.revision_id);
  /** What may have been saved without our having heard of it. */
  const sent = useRef<string>();
  const latest = useRef(text);
  latest.current = text;
  const isDirty = text !== saved;
  const name = object.path.split("/").pop() ?? object.path;

  useEffect(() => {
    if (!isDirty) return undefined;
    const ask = (event: BeforeUnloadEvent) => { event.preventDefault(); event.returnValue = ""; };
    addEventListener("beforeunload", ask);
    const unguard = guardLeaving(() => confirm(`${name} has changes that are not saved. Leave them?`));
    return () => { removeEventListener("beforeunload", ask); unguard(); };
  }, [isDirty, name]);

  /** Where the answer to a save was lost, what is there may be what was sent: then it is nobody else's. */
  const catchUp = useCallback(async () => {
    if (sent.current === undefined) return;
    const now = await call("getObject", { path: object.path });
    if (now.revision_id !== revision.current && (await textOf(now, new AbortController().signal)).lines === sent.current) {
      revision.current = now.revision_id;
    }
    sent.current = undefined;
  }, [object.path]);

  const save = useCallback(async () => {
    const lines = latest.current;
    setBusy(true);
    setProblem(undefined);
    try {
      await catchUp();
      const made = await call("importObject", { body: {
        path: object.path, content: base64(first.isWindows ? lines.replaceAll("\n", "\r\n") : lines), format: "AUTO", overwrite: true,
        expected_revision_id: revision.current } }).catch((error: unknown) => {
        if (!isRefusal(error)) sent.current = lines;
        throw error;
      });
      revision.current = made.revision_id;
      setSaved(lines);
      setConflict(false);
      toast("Saved.");
    } catch (error) {
      const isTheirs = error instanceof ApiError && error.code === "RESOURCE_CONFLICT";
      setConflict(isTheirs);
      if (!isTheirs) setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  }, [object.path, first.isWindows, catchUp]);

  /** What somebody else has saved becomes the revision before this one. */
  const saveOnTop = async () => {
    try {
      revision.current = (await call("getObject", { path: object.path })).revision_id;
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
  return (
    <>
      {isConflict && (
        <Note tone="warn">Somebody else has saved this file since you opened it.{" "}
          <Button isSmall onClick={() => { void saveOnTop(); }}>Save mine on top</Button>{" "}
          <Button isSmall onClick={() => onClose(true)}>Drop mine, take theirs</Button></Note>
      )}
      {problem && <Note tone="bad">{problem}</Note>}
      <Card title={<span role="status">{isDirty ? "Not saved yet" : "Saved"}</span>} isFlush actions={<>
        <Button isSmall tone="quiet" onClick={() => { if (!isDirty || confirm("Drop what is not saved?")) onClose(true); }}>Close</Button>
        <Button isSmall tone="primary" isBusy={isBusy} disabled={!isDirty} onClick={() => { void save(); }}>Save</Button></>}>
        <div className="file-editor">
          <Editor value={text} language={name.split(".").pop()?.toLowerCase() ?? ""} label={name} shape="page" takesFocus actions={actions} onChange={setText} />
        </div>
      </Card>
    </>
  );
}
