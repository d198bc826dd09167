// What was typed in something that is not where it was any more.
import { useEffect, useState } from "react";
import { ApiError, call } from "../api/client";
import { navigate, treeAddress } from "../app/router";
import { useSession } from "../app/session";
import { type FileDraft, endedAs } from "../files/text-draft";
import type { NotebookDraft } from "../notebook/draft";
import { base64, shownOutputs } from "../notebook/saver";
import { Button, Note } from "../ui/parts";
import { moment } from "../ui/time";
import { toast, toastError } from "../ui/toast";
import type { Found } from "./shelf";
import { shelf } from "./unsaved";

/** A notebook of the cells that differ from what it was; all that is known of one that is deleted. */
function notebookOf({ cells, metadata: about }: NotebookDraft): string {
  const made = cells.map(({ id, type, source, metadata }) => ({
    id, cell_type: type, source, metadata, ...(type === "code" ? { outputs: [], execution_count: null } : {}),
  }));
  return JSON.stringify({ cells: made, metadata: about ?? {}, nbformat: 4, nbformat_minor: 5 });
}

/** Goes to where a notebook was moved to; offers what was typed where there is nothing any more. */
export function Lost({ path, onSaved }: { path: string; onSaved: () => void }) {
  const { session: { user_name: user } } = useSession();
  const [left, setLeft] = useState<Found<NotebookDraft | FileDraft>>();
  useEffect(() => {
    const controller = new AbortController();
    const [notebooks, files] = [shelf.at<NotebookDraft>(user, "notebook", path), shelf.at<FileDraft>(user, "file", path)];
    const notebook = notebooks[notebooks.length - 1];
    if (!notebook) { setLeft(files[files.length - 1]); return undefined; }
    call("getNotebook", { notebook_id: Number(notebook.id), ...shownOutputs }, controller.signal).then((content) => {
      toast(`This notebook was moved: it is at ${content.path} now.`, "plain");
      navigate(treeAddress(content.path), { replace: true });
    }, (error: unknown) => { if (!controller.signal.aborted && error instanceof ApiError && error.status === 404) setLeft(notebook); });
    return () => controller.abort();
  }, [user, path]);
  if (!left) return null;
  const content = left.content;
  const save = () => {
    const isFile = "lines" in content;
    call("importObject", { body: { path, content: base64(isFile ? endedAs(content.lines, content.isWindows) : notebookOf(content)), format: isFile ? "AUTO" : "JUPYTER" } }).then(() => {
      shelf.drop(left.key);
      toast(`Saved as ${path}.`);
      onSaved();
    }, toastError);
  };
  return (
    <Note tone="warn"><div className="row spread wrap">
      <span>What you typed here {moment(left.time)} was not saved. This browser keeps it; restored from the trash, it is all here again.</span>
      <span className="row"><Button isSmall onClick={() => navigate("/trash")}>Look into the trash</Button>
        <Button isSmall onClick={save}>Save what I typed here</Button></span></div></Note>
  );
}
