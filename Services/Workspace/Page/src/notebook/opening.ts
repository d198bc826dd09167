// Opening a notebook: what it has, and what was typed in it in this browser and is not saved yet.
import { ApiError, call } from "../api/client";
import type { NotebookContent } from "../api/generated/contract";
import { leftDrafts, shelf } from "../drafts/unsaved";
import { viewsOf } from "./cells";
import type { NotebookDocument } from "./document";
import { type Back, type NotebookDraft, broughtBack } from "./draft";
import { leaveOff, shownOutputs } from "./saver";

export interface Opened {
  content: NotebookContent;
  /** What was typed, and when. */
  back?: Back & { time: number };
  /** The drafts that it is of. */
  drafts: string[];
}

const documentOf = (content: NotebookContent) => content.document as unknown as NotebookDocument;

/** The revision that was edited; nothing where it is gone. */
async function baseOf(draft: NotebookDraft, content: NotebookContent, signal: AbortSignal): Promise<NotebookDocument | undefined> {
  if (draft.base === content.revision_id) return documentOf(content);
  return call("getNotebook", { notebook_id: content.notebook_id, revision_id: draft.base, output_limit: 1024 }, signal).then(documentOf,
    (error: unknown) => {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    });
}

/** Reads a notebook, and brings back what several tabs may have left; what is in each other's way waits for the next time. */
export async function openNotebook(notebookID: number, user: string, signal: AbortSignal): Promise<Opened> {
  await leaveOff(notebookID);
  const content = await call("getNotebook", { notebook_id: notebookID, ...shownOutputs }, signal);
  const opened: Opened = { content, drafts: [] };
  let cells = viewsOf(documentOf(content));
  for (const draft of await leftDrafts<NotebookDraft>({ user, kind: "notebook", id: String(notebookID) })) {
    const back = broughtBack(draft.content, await baseOf(draft.content, content, signal), cells);
    if (!back) { shelf.drop(draft.key); continue; }
    if (back.isConflict && opened.back) continue;
    const rewritten = [...new Set([...opened.back?.rewritten ?? [], ...back.rewritten])];
    opened.back = { ...back, rewritten, time: draft.time };
    opened.drafts.push(draft.key);
    cells = back.cells;
    if (back.isConflict) break;
  }
  return opened;
}
