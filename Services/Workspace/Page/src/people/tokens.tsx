// Personal access tokens: made, shown once, revoked.
import { useState } from "react";
import { call } from "../api/client";
import type { TokenInfo } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { copyText } from "../ui/copy";
import { Button, Card, Dialog, Empty, Failure, Field, Loading, Note } from "../ui/parts";
import { Time } from "../ui/time";
import { FormDialog } from "./forms";

export function Tokens() {
  const tokens = useQuery("tokens", (signal) => call("listTokens", {}, signal), 30000);
  const [dialog, setDialog] = useState<{ kind: "new" } | { kind: "made"; value: string } | { kind: "revoke"; token: TokenInfo }>();
  const close = () => setDialog(undefined);
  return (
    <Card title="Personal access tokens" isFlush actions={<Button icon="plus" tone="primary" onClick={() => setDialog({ kind: "new" })}>New token</Button>}>
      {tokens.error && <div className="card-body"><Failure error={tokens.error} retry={tokens.refresh} /></div>}
      {!tokens.data ? tokens.isLoading && <Loading lines={3} /> : tokens.data.token_infos.length === 0 ? (
        <Empty icon="key" title="You have no token">Programs sign in with tokens: <code>harbour</code> with <code>HARBOUR_TOKEN</code>, others with <code>authorization: Bearer</code>.</Empty>
      ) : (
        <div className="table-box" tabIndex={0} role="region" aria-label="Tokens"><table className="table">
          <thead><tr><th scope="col">For what</th><th scope="col" className="wide-only">Made</th><th scope="col">Ends</th><th scope="col">Last used</th>
            <th scope="col"><span className="visually-hidden">Actions</span></th></tr></thead>
          <tbody>{tokens.data.token_infos.map((token) => (
            <tr key={token.token_id}>
              <td className="name">{token.comment || <span className="soft">no comment</span>}</td>
              <td className="wide-only"><Time value={token.creation_time} /></td>
              <td>{token.expiry_time !== undefined ? <Time value={token.expiry_time} /> : <span className="soft">never</span>}</td>
              <td>{token.last_used_time !== undefined ? <Time value={token.last_used_time} /> : <span className="soft">never</span>}</td>
              <td className="number"><Button isSmall tone="quiet" icon="trash" aria-label={`Revoke ${token.comment || `token ${token.token_id}`}`} onClick={() => setDialog({ kind: "revoke", token })} /></td>
            </tr>
          ))}</tbody>
        </table></div>
      )}
      {dialog?.kind === "new" && <NewToken onClose={close} onMade={(value) => { tokens.refresh(); setDialog({ kind: "made", value }); }} />}
      {dialog?.kind === "made" && <Made value={dialog.value} onClose={close} />}
      {dialog?.kind === "revoke" && (
        <FormDialog title="Revoke this token?" action="Revoke" tone="danger" onClose={close}
          onSubmit={() => call("revokeToken", { body: { token_id: dialog.token.token_id } }).then(tokens.refresh)}>
          <p>Programs that sign in with it{dialog.token.comment && <> ({dialog.token.comment})</>} cannot do so any more.</p>
        </FormDialog>
      )}
    </Card>
  );
}

const lifetimes = [["7", "7 days"], ["30", "30 days"], ["90", "90 days"], ["365", "A year"], ["", "For ever"]];

function NewToken({ onClose, onMade }: { onClose: () => void; onMade: (value: string) => void }) {
  const [comment, setComment] = useState("");
  const [days, setDays] = useState("90");
  const make = async () => {
    const made = await call("createToken", { body: { comment: comment.trim(), ...(days ? { lifetime_seconds: Number(days) * 86400 } : {}) } });
    onMade(made.token_value);
    return "stay";
  };
  return (
    <FormDialog title="New token" action="Make" onClose={onClose} onSubmit={make}>
      <Field label="What it is for">
        {(id) => <input id={id} className="input" value={comment} autoFocus autoComplete="off" onChange={(event) => setComment(event.target.value)} />}
      </Field>
      <Field label="Valid for">
        {(id) => <select id={id} className="input" value={days} onChange={(event) => setDays(event.target.value)}>
          {lifetimes.map(([count, text]) => <option key={text} value={count}>{text}</option>)}
        </select>}
      </Field>
    </FormDialog>
  );
}

function Made({ value, onClose }: { value: string; onClose: () => void }) {
  return (
    <Dialog title="Your new token" onClose={onClose} foot={<><Button icon="copy" onClick={() => copyText(value)}>Copy</Button><Button tone="primary" onClick={onClose}>Done</Button></>}>
      <div className="dialog-body">
        <Note tone="warn">It is shown this once and kept nowhere. Whoever has it can do what you can do.</Note>
        <code className="token-value" tabIndex={0} aria-label="The token">{value}</code>
      </div>
    </Dialog>
  );
}
