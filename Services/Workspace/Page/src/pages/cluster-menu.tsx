// What is done to a cluster less often than starting and ending it.
import { ReactNode, useState } from "react";
import { call } from "../api/client";
import type { ClusterInfo } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { fromHere, setQuery, useAddress } from "../app/router";
import { Menu, MenuItem } from "../ui/menu";
import { Button, Dialog } from "../ui/parts";
import { toast, toastError } from "../ui/toast";
import { EditCluster } from "./cluster-form";
import { isAlive, isSettled } from "./cluster-parts";

/** A button with a menu, and the dialogs that it opens. What was made for a run ends with that, and is not touched. */
export function ClusterMenu({ cluster, onChanged }: { cluster: ClusterInfo; onChanged: () => void }) {
  const { query } = useAddress();
  const [asked, setAsked] = useState<"restart" | "delete">();
  const { cluster_id, state, pinned } = cluster;
  const name = cluster.spec.cluster_name;
  const [edition, setEdition] = useState(0);
  const permissions = useQuery(cluster.owner ? null : `permissions/clusters/${cluster.cluster_id}`,
    (signal) => call("getPermissions", { object_type: "clusters", object_id: cluster.cluster_id }, signal));
  const level = permissions.data?.effective_level;
  // As long as it is not known the service says it.
  const mayManage = level === undefined || level === "CAN_MANAGE" || level === "IS_OWNER";
  const pin = () => {
    call(pinned ? "unpinCluster" : "pinCluster", { cluster_id }).then(() => {
      onChanged();
      toast(pinned ? `${name} may be deleted.` : `${name} is kept until it is unpinned.`);
    }, toastError);
  };
  const restart = () => call("restartCluster", { cluster_id }).then(() => { onChanged(); toast(`${name} is being restarted.`); });
  const go = fromHere();
  const remove = () => call("deleteCluster", { cluster_id }).then(() => {
    toast(`${name} was deleted.`);
    go("/clusters");
  });
  const items: MenuItem[] = [
    { text: "Edit", icon: "edit", isDisabled: !mayManage || !isSettled(state), run: () => setQuery("edit", "") },
    { text: "Restart", icon: "refresh", isDisabled: state !== "RUNNING" || !(mayManage || level === "CAN_RESTART"), run: () => setAsked("restart") },
    { text: pinned ? "Unpin" : "Pin", icon: "pin", isDisabled: !mayManage, run: pin },
    { text: "Delete", icon: "trash", isDisabled: pinned || !mayManage, run: () => setAsked("delete") },
  ];
  if (cluster.owner) return null;
  return (
    <>
      <Menu label="More" items={items} />
      {query.has("edit") && <EditCluster key={edition} cluster={cluster} mayManage={mayManage} onAgain={() => setEdition(edition + 1)} onClose={() => setQuery("edit", null)} onChanged={onChanged} />}
      {asked === "restart" && <Ask title={`Restart ${name}?`} verb="Restart" act={restart} onClose={() => setAsked(undefined)}>
        Cells that run on it are ended, and what its notebooks have in memory is gone. What they have put out stays.</Ask>}
      {asked === "delete" && <Ask title={`Delete ${name}?`} verb="Delete" act={remove} onClose={() => setAsked(undefined)}>
        {isAlive(state) && "It is ended, with all that runs on it. "}Its events and logs are gone then; notebooks stay as they are. It cannot be brought back.</Ask>}
    </>
  );
}

/** Asked before what cannot be undone. */
function Ask({ title, verb, act, onClose, children }: {
  title: string; verb: string; act: () => Promise<void>; onClose: () => void; children: ReactNode;
}) {
  const [isBusy, setBusy] = useState(false);
  const agree = () => {
    setBusy(true);
    act().then(onClose, (error: unknown) => { setBusy(false); toastError(error); });
  };
  return (
    <Dialog title={title} onClose={onClose} foot={<><Button onClick={onClose}>Cancel</Button>
      <Button tone="danger" isBusy={isBusy} onClick={agree}>{verb}</Button></>}>
      <div className="dialog-body"><p>{children}</p></div>
    </Dialog>
  );
}
