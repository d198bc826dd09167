// Somebody else has saved meanwhile: both are kept until a person has decided.
import { useMemo, useState } from "react";
import { call } from "../api/client";
import type { NotebookContent } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { Button, Dialog, Failure, Loading } from "../ui/parts";
import { toast, toastError } from "../ui/toast";
import { Differences } from "./differences";
import { differences } from "./differing";
import type { NotebookDocument } from "./document";
import { fileOfMine } from "./mine";
import type { Runner } from "./runner";
import { Saver, base64, shownOutputs } from "./saver";
import type { NotebookStore } from "./store";

const sides = { left: "Mine", right: "Theirs", onlyLeft: "only mine", onlyRight: "only theirs", there: "in theirs" };

export function Conflict({ store, saver, runner }: { store: NotebookStore; saver: Saver; runner: Runner }) {
  const theirs = useQuery(`conflict/${store.notebookID}/${store.state.revisionID}`,
    (signal) => call("getNotebook", { notebook_id: store.notebookID, ...shownOutputs }, signal));
  const [isBusy, setBusy] = useState(false);
  const take = (content: NotebookContent) => {
    store.replace(content, runner.hasPutOutSince(content));
    saver.settle();
    toast("Their version is shown. Yours is gone.", "plain");
  };
  const keep = (content: NotebookContent) => {
    // On top of theirs, which stays in the revisions.
    store.rebase(content.revision_id);
    saver.settle();
  };
  const copy = (content: NotebookContent) => {
    setBusy(true);
    const path = `${store.path} (copy ${new Date().toISOString().slice(0, 16).replace("T", " ").replace(":", ".")})`;
    fileOfMine(store, content.path).then((mine) => call("importObject", {
      body: { path, content: base64(JSON.stringify(mine, null, 1) + "\n"), format: "JUPYTER" },
    })).then(() => {
      store.replace(content, runner.hasPutOutSince(content));
      saver.settle();
      toast(`Yours is kept as ${path}.`);
    }, (error: unknown) => { setBusy(false); toastError(error); });
  };
  const found = useMemo(() => theirs.data ? differences(store.serialize(false), theirs.data.document as unknown as NotebookDocument) : [],
    [store, store.state.version, theirs.data]);
  return (
    <Dialog title="Somebody else has saved this notebook" isWide foot={theirs.data && <>
      <Button onClick={() => { if (theirs.data) take(theirs.data); }} disabled={isBusy}>Drop mine, take theirs</Button>
      <Button onClick={() => { if (theirs.data) copy(theirs.data); }} isBusy={isBusy}>Take theirs, keep mine as a copy</Button>
      <Button tone="primary" onClick={() => { if (theirs.data) keep(theirs.data); }} disabled={isBusy}>Save mine on top</Button>
    </>}>
      <div className="dialog-body">
        <p>Nothing has been overwritten. If you save yours on top, theirs stays in the revisions.</p>
        {theirs.error && <Failure error={theirs.error} retry={theirs.refresh} />}
        {!theirs.data ? theirs.isLoading && <Loading lines={3} /> : found.length === 0
          ? <p className="soft">All cells are the same; only outputs differ.</p>
          : <Differences found={found} sides={sides} />}
      </div>
    </Dialog>
  );
}
