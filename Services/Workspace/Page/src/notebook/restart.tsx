// Asked before a kernel is restarted: that cannot be undone.
import { useState } from "react";
import { Button, Dialog } from "../ui/parts";
import { toast, toastError } from "../ui/toast";
import type { Runner } from "./runner";

export function Restart({ isRun, runner, onClose, onDone }: { isRun: boolean; runner: Runner; onClose: () => void; onDone: () => void }) {
  const [isBusy, setBusy] = useState(false);
  const restart = () => {
    setBusy(true);
    runner.restart().then(() => {
      onClose();
      if (!isRun) toast("The kernel was restarted: its variables are gone.");
      onDone();
    }, (error: unknown) => { setBusy(false); toastError(error); });
  };
  return (
    <Dialog title="Restart the kernel?" onClose={onClose} foot={<><Button onClick={onClose}>Cancel</Button>
      <Button tone="danger" icon="refresh" isBusy={isBusy} onClick={restart}>{isRun ? "Restart and run all" : "Restart"}</Button></>}>
      <div className="dialog-body"><p>Everything that cells have made in memory is gone then, for everybody who looks at this notebook. What they have put out stays{isRun ? " until they run again" : ""}.</p></div>
    </Dialog>
  );
}
