// A dialog with a form: says what is wrong where it is wrong, and closes when it is done.
import { FormEvent, ReactNode, useId, useState } from "react";
import { Button, Dialog, Note } from "../ui/parts";

export function FormDialog({ title, action, tone, onClose, onSubmit, children }: {
  title: string; action: string; tone?: "primary" | "danger"; onClose: () => void; children: ReactNode;
  /** What it answers is looked at only for "stay": then something else takes the place of the form. */
  onSubmit: () => Promise<unknown>;
}) {
  const id = useId();
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    onSubmit().then((answer) => { if (answer !== "stay") onClose(); }, (error: unknown) => {
      setBusy(false);
      setProblem(error instanceof Error ? error.message : String(error));
    });
  };
  return (
    <Dialog title={title} onClose={onClose} foot={<><Button onClick={onClose}>Cancel</Button>
      <Button tone={tone ?? "primary"} type="submit" form={id} isBusy={isBusy}>{action}</Button></>}>
      <form id={id} className="dialog-body" onSubmit={submit} noValidate>
        {problem && <Note tone="bad">{problem}</Note>}
        {children}
      </form>
    </Dialog>
  );
}
