// The revisions of a notebook: what each changed, and a way back.
import { useState } from "react";
import { call } from "../api/client";
import { useQuery } from "../api/query";
import { Button, Dialog, Failure, Loading } from "../ui/parts";
import { Time, bytes } from "../ui/time";
import { toast, toastError } from "../ui/toast";
import { Differences, differences } from "./conflict";
import { NotebookDocument } from "./document";
import { type Saver, shownOutputs } from "./saver";
import type { NotebookStore } from "./store";

export function History({ store, saver, onClose }: { store: NotebookStore; saver: Saver; onClose: () => void }) {
  const revisions = useQuery(`revisions/${store.notebookID}/${store.state.revisionID}`,
    (signal) => call("listRevisions", { notebook_id: store.notebookID, page_size: 50 }, signal));
  const [chosen, setChosen] = useState<number>();
  const [isBusy, setBusy] = useState(false);
  const old = useQuery(chosen === undefined ? null : `revision/${chosen}`,
    (signal) => call("getNotebook", { notebook_id: store.notebookID, revision_id: chosen, ...shownOutputs }, signal));
  const restore = async () => {
    if (!old.data || chosen === undefined) return;
    setBusy(true);
    // What is here becomes a revision first, so that going back can be taken back.
    if (!await saver.save()) { toastError(new Error("What is here could not be saved, so nothing was restored.")); setBusy(false); return; }
    const takeBack = store.goBack(chosen, old.data);
    onClose();
    // Until it is saved, it is kept like what is typed.
    if (await saver.save()) toast(`Revision ${chosen} is back.`, "good", { text: "Undo", run: takeBack });
  };
  const found = old.data ? differences(old.data.document as unknown as NotebookDocument, store.serialize()) : [];
  return (
    <Dialog title="Revisions" isWide onClose={onClose} foot={
      <Button tone="primary" isBusy={isBusy} disabled={!old.data || chosen === store.state.revisionID} onClick={() => { void restore(); }}>Go back to this one</Button>}>
      <div className="revisions">
        {revisions.error && <Failure error={revisions.error} retry={revisions.refresh} />}
        {!revisions.data ? <Loading lines={4} /> : (
          <ul className="list" aria-label="Revisions">{revisions.data.revisions.map((one) => (
            <li key={one.revision_id}>
              <button type="button" className="revision" aria-pressed={chosen === one.revision_id} onClick={() => setChosen(one.revision_id)}>
                <Time value={one.created_time} />
                <span className="soft small">{one.created_by} · {bytes(one.size)}{one.revision_id === store.state.revisionID ? " · this one" : ""}</span>
              </button>
            </li>
          ))}</ul>
        )}
        <div className="revision-shown">
          {chosen === undefined ? <p className="soft">Choose one to see what has changed since.</p>
            : !old.data ? <Loading lines={3} /> : found.length === 0 ? <p className="soft">The text of all cells is the same as now.</p>
              : <Differences found={found} left="Then" right="Now" />}
        </div>
      </div>
    </Dialog>
  );
}
