// Secrets: scopes and their keys. A value is never shown, also not to whoever has put it.
import { useState } from "react";
import { call } from "../api/client";
import { useQuery } from "../api/query";
import { Button, Card, Empty, Failure, Field, Loading } from "../ui/parts";
import { Time } from "../ui/time";
import { FormDialog } from "./forms";

type Open = { kind: "scope" } | { kind: "drop"; scope: string };

export function Secrets() {
  const scopes = useQuery("scopes", (signal) => call("listSecretScopes", {}, signal), 30000);
  const [dialog, setDialog] = useState<Open>();
  const [name, setName] = useState("");
  const close = () => { setDialog(undefined); setName(""); };
  return (
    <>
      <Card title="Secrets" isFlush actions={<Button icon="plus" tone="primary" onClick={() => setDialog({ kind: "scope" })}>New scope</Button>}>
        {scopes.error && <div className="card-body"><Failure error={scopes.error} retry={scopes.refresh} /></div>}
        {!scopes.data ? scopes.isLoading && <Loading lines={3} /> : scopes.data.scopes.length === 0 ? (
          <Empty icon="key" title="There is no scope that you may see">Passwords and keys are kept encrypted, in scopes. A cell reads one
            with <code>dbutils.secrets.get(&quot;scope&quot;, &quot;key&quot;)</code>; in outputs and logs it is covered.</Empty>
        ) : <p className="card-body soft">A cell reads one with <code>dbutils.secrets.get(&quot;scope&quot;, &quot;key&quot;)</code>; values are never shown here.</p>}
      </Card>
      {scopes.data?.scopes.map((one) => <Scope key={one.name} name={one.name} onDrop={() => setDialog({ kind: "drop", scope: one.name })} />)}
      {dialog?.kind === "scope" && (
        <FormDialog title="New scope" action="Make" onClose={close} onSubmit={() => call("createSecretScope", { body: { scope: name.trim() } }).then(scopes.refresh)}>
          <Field label="Name" hint="Letters, digits, dashes, underscores and dots.">
            {(id, described) => <input id={id} className="input" value={name} aria-describedby={described} autoFocus autoComplete="off" onChange={(event) => setName(event.target.value)} />}
          </Field>
        </FormDialog>
      )}
      {dialog?.kind === "drop" && (
        <FormDialog title={`Delete the scope ${dialog.scope}?`} action="Delete" tone="danger" onClose={close}
          onSubmit={() => call("deleteSecretScope", { body: { scope: dialog.scope } }).then(scopes.refresh)}>
          <p>All secrets in it are gone for good, and what reads them fails from then on.</p>
        </FormDialog>
      )}
    </>
  );
}

function Scope({ name, onDrop }: { name: string; onDrop: () => void }) {
  const secrets = useQuery(`secrets/${name}`, (signal) => call("listSecrets", { scope: name }, signal), 30000);
  const [dialog, setDialog] = useState<{ kind: "put"; key?: string } | { kind: "drop"; key: string }>();
  const close = () => setDialog(undefined);
  return (
    <Card title={name} isFlush actions={<>
      <Button isSmall tone="quiet" icon="trash" aria-label={`Delete the scope ${name}`} onClick={onDrop} />
      <Button icon="plus" onClick={() => setDialog({ kind: "put" })} aria-label={`New secret in ${name}`}>New secret</Button></>}>
      {secrets.error && <div className="card-body"><Failure error={secrets.error} retry={secrets.refresh} /></div>}
      {!secrets.data ? secrets.isLoading && <Loading lines={2} /> : secrets.data.secrets.length === 0 ? <p className="card-body soft">Nothing is kept in it yet.</p> : (
        <div className="table-box" tabIndex={0} role="region" aria-label={`Secrets of ${name}`}><table className="table">
          <thead><tr><th scope="col">Key</th><th scope="col">Put</th><th scope="col"><span className="visually-hidden">Actions</span></th></tr></thead>
          <tbody>{secrets.data.secrets.map((one) => (
            <tr key={one.key}>
              <td className="name"><code>{one.key}</code></td>
              <td><Time value={one.last_updated_timestamp} /></td>
              <td className="number">
                <Button isSmall tone="quiet" icon="edit" aria-label={`Put another value for ${one.key}`} onClick={() => setDialog({ kind: "put", key: one.key })} />
                <Button isSmall tone="quiet" icon="trash" aria-label={`Delete ${one.key}`} onClick={() => setDialog({ kind: "drop", key: one.key })} />
              </td>
            </tr>
          ))}</tbody>
        </table></div>
      )}
      {dialog?.kind === "put" && <Put scope={name} known={dialog.key} onClose={close} onDone={secrets.refresh} />}
      {dialog?.kind === "drop" && (
        <FormDialog title={`Delete ${dialog.key}?`} action="Delete" tone="danger" onClose={close}
          onSubmit={() => call("deleteSecret", { body: { scope: name, key: dialog.key } }).then(secrets.refresh)}>
          <p>It is gone for good, and what reads it fails from then on.</p>
        </FormDialog>
      )}
    </Card>
  );
}

function Put({ scope, known, onClose, onDone }: { scope: string; known?: string; onClose: () => void; onDone: () => void }) {
  const [key, setKey] = useState(known ?? "");
  const [value, setValue] = useState("");
  return (
    <FormDialog title={known ? `Another value for ${known}` : `New secret in ${scope}`} action="Keep" onClose={onClose}
      onSubmit={() => call("putSecret", { body: { scope, key: key.trim(), string_value: value } }).then(onDone)}>
      {!known && (
        <Field label="Key" hint="Letters, digits, dashes, underscores and dots.">
          {(id, described) => <input id={id} className="input mono" value={key} aria-describedby={described} autoFocus autoComplete="off" onChange={(event) => setKey(event.target.value)} />}
        </Field>
      )}
      <Field label="Value" hint="128 KiB at most. It is encrypted before it is kept.">
        {(id, described) => <input id={id} type="password" className="input mono" value={value} aria-describedby={described} autoFocus={known !== undefined} autoComplete="new-password"
          onChange={(event) => setValue(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}
