// The trash: what was deleted, by whom, how long it still stays, and the ways back and out.
import { useState } from "react";
import { ApiError, call, pages } from "../api/client";
import type { TrashEntry } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { Link, navigate, treeAddress } from "../app/router";
import { Left, plural } from "../ui/left";
import { Button, Card, Dialog, Empty, Failure, Heading, Loading } from "../ui/parts";
import { Icon } from "../ui/icons";
import { Time, bytes } from "../ui/time";
import { toast, toastError } from "../ui/toast";
import { Ask, below, besides, folderOf, icons, lastPart } from "./folder";
import { focusContent } from "../ui/focus";

const key = "trash";

export function Trash(_: { id: string }) {
  const trash = useQuery(key, async (signal) => {
    let days = 0;
    const items = await pages<TrashEntry>(async (token) => {
      const page = await call("listTrash", { page_size: 200, page_token: token }, signal);
      days = page.retention_days;
      return { items: page.deletions, token: page.next_page_token };
    });
    return { items, days };
  }, 15000);
  const [dialog, setDialog] = useState<{ kind: "purge" | "elsewhere"; entry: TrashEntry; why?: string }>();
  const [busy, setBusy] = useState<number>();
  const close = () => setDialog(undefined);
  const done = () => { trash.refresh(); focusContent(); };
  const restore = async (entry: TrashEntry, path?: string) => {
    const restored = await call("restoreDeletion", { deletion_id: entry.deletion_id, body: path === undefined ? {} : { path } });
    toast(`${lastPart(entry.path)} is back at ${restored.path}.`, "good", { text: "Open", run: () => navigate(treeAddress(restored.path)) });
    done();
  };
  const putBack = (entry: TrashEntry) => {
    setBusy(entry.deletion_id);
    restore(entry).catch((error: unknown) => {
      // Its place is another's now, or may not be written to: it can go elsewhere.
      if (error instanceof ApiError && ["RESOURCE_ALREADY_EXISTS", "PERMISSION_DENIED"].includes(error.code)) {
        setDialog({ kind: "elsewhere", entry, why: error.code === "PERMISSION_DENIED" ? error.message
          : `Something else is at ${entry.path} now, or in the way to it. Choose another place.` });
      } else toastError(error);
    }).finally(() => setBusy(undefined));
  };
  const stay = trash.data && (trash.data.days > 0 ? `for ${plural(trash.data.days, "day")}` : "until somebody deletes it for good");
  return (
    <div className="content">
      <Heading title="Trash" crumbs={[{ text: "Workspace", to: "/workspace" }]}>
        {stay && <>What is deleted stays here {stay} and can be restored.</>}
      </Heading>
      {trash.error && <Failure error={trash.error} retry={trash.refresh} />}
      <Card isFlush>
        {!trash.data ? trash.isLoading && <Loading lines={6} /> : trash.data.items.length === 0 ? (
          <Empty icon="trash" title="The trash is empty" action={<Link className="button" to="/workspace">Open the workspace</Link>}>
            Notebooks, files and folders that are deleted come here. Those that you may restore are shown.</Empty>
        ) : (
          <div className="table-box"><table className="table">
            <thead><tr><th scope="col">Name</th><th scope="col" className="wide-only">Deleted</th><th scope="col">Stays</th>
              <th scope="col" className="number wide-only">Size</th><th scope="col"><span className="visually-hidden">Actions</span></th></tr></thead>
            <tbody>{trash.data.items.map((entry) => <Row key={entry.deletion_id} entry={entry} isBusy={busy === entry.deletion_id}
              onRestore={() => putBack(entry)} onPurge={() => setDialog({ kind: "purge", entry })} />)}</tbody>
          </table></div>
        )}
      </Card>
      {dialog?.kind === "purge" && <Purge entry={dialog.entry} onClose={close} onDone={done} />}
      {dialog?.kind === "elsewhere" && (
        <Ask title={`Restore ${lastPart(dialog.entry.path)} to another place`} label="Path" action="Restore" onClose={close} hint={dialog.why}
          initial={below(folderOf(dialog.entry.path), besides(lastPart(dialog.entry.path), dialog.entry.object_type, "restored", []))}
          onSubmit={(path) => restore(dialog.entry, path)} />
      )}
    </div>
  );
}

function Row({ entry, isBusy, onRestore, onPurge }: { entry: TrashEntry; isBusy: boolean; onRestore: () => void; onPurge: () => void }) {
  const name = lastPart(entry.path);
  const others = entry.entry_count - 1;
  return (
    <tr>
      <td className="name"><span className="object"><Icon name={icons[entry.object_type]} size={18} /><span>{name}</span></span>
        <div className="soft small">{folderOf(entry.path)}{others > 0 && `, with ${plural(others, "thing")} in it`}</div></td>
      <td className="wide-only"><Time value={entry.deleted_time} />{entry.deleted_by && <span className="soft small"> by {entry.deleted_by}</span>}</td>
      <td className="nowrap"><Left until={entry.purge_time} /></td>
      <td className="number wide-only soft">{entry.size !== undefined ? bytes(entry.size) : ""}</td>
      <td className="number nowrap">
        <Button isSmall icon="undo" isBusy={isBusy} aria-label={`Restore ${name}`} onClick={onRestore}><span className="wide-only">Restore</span></Button>
        <Button isSmall tone="quiet" icon="trash" aria-label={`Delete ${name} for good`} onClick={onPurge} />
      </td>
    </tr>
  );
}

function Purge({ entry, onClose, onDone }: { entry: TrashEntry; onClose: () => void; onDone: () => void }) {
  const [isBusy, setBusy] = useState(false);
  const name = lastPart(entry.path);
  const purge = () => {
    setBusy(true);
    call("purgeDeletion", { deletion_id: entry.deletion_id }).then(() => {
      toast(`${name} is deleted for good.`);
      onClose();
      onDone();
    }, (error: unknown) => { setBusy(false); toastError(error); });
  };
  return (
    <Dialog title={`Delete ${name} for good?`} onClose={onClose} foot={<><Button onClick={onClose}>Cancel</Button>
      <Button tone="danger" icon="trash" isBusy={isBusy} onClick={purge}>Delete for good</Button></>}>
      <div className="dialog-body"><p>{entry.object_type === "DIRECTORY" ? "With everything in it and its history. " : "With its history. "}
        Nobody can restore it afterwards. What runs of jobs have used stays readable for them.</p></div>
    </Dialog>
  );
}
