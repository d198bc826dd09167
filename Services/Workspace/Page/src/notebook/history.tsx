// The revisions of a notebook: what each changed, what has changed since, and a way back.
import { useMemo, useRef, useState } from "react";
import { call } from "../api/client";
import type { RevisionInfo } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { setQuery, useAddress } from "../app/router";
import { Button, Dialog, Failure, Loading, TabPanel, Tabs } from "../ui/parts";
import { Time, bytes } from "../ui/time";
import { toast, toastError } from "../ui/toast";
import { Differences } from "./differences";
import { differences } from "./differing";
import type { NotebookDocument } from "./document";
import { type Saver, shownOutputs } from "./saver";
import type { NotebookStore } from "./store";

type Against = "now" | "before";
const sides = {
  now: { left: "Then", right: "Now", onlyLeft: "deleted since", onlyRight: "added since", there: "now" },
  before: { left: "Before", right: "After", onlyLeft: "deleted", onlyRight: "added", there: "afterwards" },
};
const aPage = 50;

/** The revisions, the newest first, and what brings older ones where there are any. */
function useRevisions(store: NotebookStore) {
  const list = (token?: string, signal?: AbortSignal) =>
    call("listRevisions", { notebook_id: store.notebookID, page_size: aPage, page_token: token }, signal);
  const newest = useQuery(`revisions/${store.notebookID}/${store.state.revisionID}`, (signal) => list(undefined, signal));
  const [older, setOlder] = useState<{ revisions: RevisionInfo[]; next?: string }>();
  const [isBusy, setBusy] = useState(false);
  const next = older ? older.next : newest.data?.next_page_token;
  const more = () => {
    setBusy(true);
    list(next).then((page) => setOlder((before) => ({ revisions: [...before?.revisions ?? [], ...page.revisions], next: page.next_page_token })), toastError)
      .then(() => setBusy(false));
  };
  // What was in the list stays: a new one would push the last of its page out.
  const seen = useRef(new Map<number, RevisionInfo>());
  for (const one of [...older?.revisions ?? [], ...newest.data?.revisions ?? []]) seen.current.set(one.revision_id, one);
  return {
    newest, revisions: [...seen.current.values()].sort((one, other) => other.revision_id - one.revision_id),
    isBusy, more: next === undefined ? undefined : more,
  };
}

export function History({ store, saver, onClose }: { store: NotebookStore; saver: Saver; onClose: () => void }) {
  const { newest, revisions, isBusy: isReading, more } = useRevisions(store);
  const { query } = useAddress();
  const chosen = Number(query.get("revision")) || undefined;
  const setChosen = (id: number) => setQuery("revision", String(id));
  const close = () => { setQuery("revision", null); onClose(); };
  const [against, setAgainst] = useState<Against>("now");
  const [isBusy, setBusy] = useState(false);
  const read = (id: number | undefined, signal: AbortSignal) =>
    call("getNotebook", { notebook_id: store.notebookID, revision_id: id, ...shownOutputs }, signal);
  const old = useQuery(chosen === undefined ? null : `revision/${chosen}`, (signal) => read(chosen, signal));
  const at = revisions.findIndex((one) => one.revision_id === chosen);
  const before = at < 0 ? undefined : revisions[at + 1]?.revision_id;
  const isFirst = at >= 0 && before === undefined && !more;
  const earlier = useQuery(against === "now" || chosen === undefined || before === undefined ? null : `revision/${before}`, (signal) => read(before, signal));
  const restore = async () => {
    if (!old.data || chosen === undefined) return;
    setBusy(true);
    // What is here becomes a revision first, so that going back can be taken back.
    if (!await saver.save()) { toastError(new Error("What is here could not be saved, so nothing was restored.")); setBusy(false); return; }
    const takeBack = store.goBack(chosen, old.data);
    close();
    // Until it is saved, it is kept like what is typed.
    if (await saver.save()) toast(`Revision ${chosen} is back.`, "good", { text: "Undo", run: takeBack });
  };
  const document = old.data && old.data.document as unknown as NotebookDocument;
  const now = useMemo(() => store.serialize(false), [store, store.state.version]);
  const other = against === "now" ? now : earlier.data && earlier.data.document as unknown as NotebookDocument;
  const found = useMemo(() => document && other && (against === "now" ? differences(document, other) : differences(other, document)),
    [document, other, against]);
  const shown = () => {
    if (chosen === undefined) return <p className="soft">Choose one to see what has changed since.</p>;
    if (against === "before" && before === undefined) {
      if (!newest.data && !newest.error) return <Loading lines={3} />;
      return isFirst ? <p className="soft">It is the first: nothing was there before.</p>
        : <p className="soft">The one before it is not in the list yet: show older ones.</p>;
    }
    const failed = old.error ? old : earlier;
    if (failed.error) return <Failure error={failed.error} retry={failed.refresh} />;
    if (!found) return <Loading lines={3} />;
    if (found.length > 0) return <Differences key={`${chosen}/${against}`} found={found} sides={sides[against]} />;
    return <p className="soft">{against === "now" ? "All cells are the same as now." : "It changed no cell, but outputs or what is said of the whole notebook."}</p>;
  };
  return (
    <Dialog title="Revisions" isWide onClose={close} foot={
      <Button tone="primary" isBusy={isBusy} disabled={!old.data || chosen === store.state.revisionID} onClick={() => { void restore(); }}>Go back to this one</Button>}>
      <div className="revisions">
        <div className="revision-list">
          {newest.error && <Failure error={newest.error} retry={newest.refresh} />}
          {!newest.data && !newest.error && <Loading lines={4} />}
          <ul className="list" aria-label="Revisions">{revisions.map((one) => (
            <li key={one.revision_id}>
              <button type="button" className="revision" aria-pressed={chosen === one.revision_id} onClick={() => setChosen(one.revision_id)}>
                <Time value={one.created_time} />
                <span className="soft small">{one.created_by} · {bytes(one.size)}{one.revision_id === store.state.revisionID ? " · this one" : ""}</span>
              </button>
            </li>
          ))}</ul>
          {more && <Button isSmall tone="quiet" icon="history" isBusy={isReading} onClick={more}>Older ones</Button>}
        </div>
        <div className="revision-shown" role="region" aria-label="What differs" tabIndex={0}>
          {chosen === undefined ? shown() : <>
            <Tabs label="Compared with" current={against} onChange={setAgainst}
              tabs={[{ id: "now", text: "Changed since" }, { id: "before", text: "What it changed" }]} />
            <TabPanel id={against}>{shown()}</TabPanel>
          </>}
        </div>
      </div>
    </Dialog>
  );
}
