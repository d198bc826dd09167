// Users and groups, for administrators.
import { useState } from "react";
import { call } from "../api/client";
import type { Group, User, UserKind, UserRole } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { useSession } from "../app/session";
import { Badge, Button, Card, Empty, Failure, Field, Loading } from "../ui/parts";
import { Time } from "../ui/time";
import { toast, toastError } from "../ui/toast";
import { FormDialog } from "./forms";
import { allUsers } from "./share";

export const roleNames: Record<UserRole, string> = { ADMIN: "Administrator", USER: "User", VIEWER: "Viewer" };
const roleHints: Record<UserRole, string> = {
  ADMIN: "May do everything.", USER: "Makes and runs what is theirs or shared with them.", VIEWER: "Looks at what is shared with them.",
};

function Role({ value, onChange }: { value: UserRole; onChange: (role: UserRole) => void }) {
  return (
    <Field label="Role" hint={roleHints[value]}>
      {(id, described) => <select id={id} className="input" value={value} aria-describedby={described} onChange={(event) => onChange(event.target.value as UserRole)}>
        {(Object.keys(roleNames) as UserRole[]).map((role) => <option key={role} value={role}>{roleNames[role]}</option>)}
      </select>}
    </Field>
  );
}

export function Users() {
  const users = useQuery("users", allUsers, 30000);
  const [dialog, setDialog] = useState<{ kind: "new" } | { kind: "edit" | "password"; user: User }>();
  const close = () => setDialog(undefined);
  const activate = (user: User, active: boolean) => {
    call("editUser", { user_name: user.user_name, body: { active } }).then(() => {
      users.refresh();
      toast(active ? `${user.user_name} may sign in again.` : `${user.user_name} is shut out.`, "good",
        active ? undefined : { text: "Undo", run: () => activate(user, true) });
    }, toastError);
  };
  return (
    <Card title="Users and service accounts" isFlush actions={<Button icon="plus" tone="primary" onClick={() => setDialog({ kind: "new" })}>New user</Button>}>
      {users.error && <div className="card-body"><Failure error={users.error} retry={users.refresh} /></div>}
      {!users.data ? users.isLoading && <Loading lines={5} /> : (
        <div className="table-box" tabIndex={0} role="region" aria-label="Users"><table className="table">
          <thead><tr><th scope="col">User</th><th scope="col">Role</th><th scope="col" className="wide-only">Groups</th><th scope="col" className="wide-only">Signs in with</th>
            <th scope="col" className="wide-only">Made</th><th scope="col"><span className="visually-hidden">Actions</span></th></tr></thead>
          <tbody>{users.data.map((user) => (
            <UserRow key={user.user_name} user={user} onEdit={() => setDialog({ kind: "edit", user })} onPassword={() => setDialog({ kind: "password", user })}
              onActivate={(active) => activate(user, active)} />
          ))}</tbody>
        </table></div>
      )}
      {dialog?.kind === "new" && <NewUser onClose={close} onMade={users.refresh} />}
      {dialog?.kind === "edit" && <EditUser user={dialog.user} onClose={close} onDone={users.refresh} />}
      {dialog?.kind === "password" && <Password user={dialog.user.user_name} onClose={close} onDone={users.refresh} />}
    </Card>
  );
}

function UserRow({ user, onEdit, onPassword, onActivate }: {
  user: User; onEdit: () => void; onPassword: () => void; onActivate: (active: boolean) => void;
}) {
  const { session } = useSession();
  const isPerson = user.kind === "USER";
  return (
    <tr>
      <td className="name">{user.user_name}{user.display_name && <div className="soft small">{user.display_name}</div>}</td>
      <td>{user.active ? roleNames[user.role] : <Badge tone="warn">Shut out</Badge>}</td>
      <td className="wide-only soft">{(user.groups ?? []).join(", ")}</td>
      <td className="wide-only soft">{isPerson ? user.has_password ? "password" : "tokens" : "tokens (service account)"}</td>
      <td className="wide-only">{user.created_time !== undefined && <Time value={user.created_time} />}</td>
      <td className="number nowrap">
        <Button isSmall tone="quiet" icon="edit" aria-label={`Edit ${user.user_name}`} onClick={onEdit} />
        {isPerson && <Button isSmall tone="quiet" icon="key" aria-label={`Set the password of ${user.user_name}`} onClick={onPassword} />}
        <Button isSmall tone="quiet" icon={user.active ? "stop" : "play"} disabled={user.user_name === session.user_name}
          aria-label={user.active ? `Shut ${user.user_name} out` : `Let ${user.user_name} in`} onClick={() => onActivate(!user.active)} />
      </td>
    </tr>
  );
}

function NewUser({ onClose, onMade }: { onClose: () => void; onMade: () => void }) {
  const [name, setName] = useState("");
  const [display, setDisplay] = useState("");
  const [role, setRole] = useState<UserRole>("USER");
  const [kind, setKind] = useState<UserKind>("USER");
  const [password, setPassword] = useState("");
  const make = async () => {
    await call("createUser", { body: {
      user_name: name.trim(), role, kind, ...(display.trim() ? { display_name: display.trim() } : {}),
      ...(kind === "USER" && password ? { password } : {}),
    } });
    toast(`${name.trim()} may sign in.`);
    onMade();
  };
  return (
    <FormDialog title="New user" action="Make" onClose={onClose} onSubmit={make}>
      <Field label="Name to sign in with" hint="Letters, digits, and . _ @ + -; it stays.">
        {(id, described) => <input id={id} className="input" value={name} autoFocus autoComplete="off" spellCheck={false} aria-describedby={described} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Field label="Name for people">
        {(id) => <input id={id} className="input" value={display} autoComplete="off" onChange={(event) => setDisplay(event.target.value)} />}
      </Field>
      <Role value={role} onChange={setRole} />
      <Field label="Kind">
        {(id) => <select id={id} className="input" value={kind} onChange={(event) => setKind(event.target.value as UserKind)}>
          <option value="USER">A person</option><option value="SERVICE_PRINCIPAL">A service account, which signs in with tokens</option>
        </select>}
      </Field>
      {kind === "USER" && <Field label="First password" hint="At least 8 characters. Without one, only tokens sign in.">
        {(id, described) => <input id={id} className="input" type="password" value={password} autoComplete="new-password" aria-describedby={described} onChange={(event) => setPassword(event.target.value)} />}
      </Field>}
    </FormDialog>
  );
}

function EditUser({ user, onClose, onDone }: { user: User; onClose: () => void; onDone: () => void }) {
  const [display, setDisplay] = useState(user.display_name ?? "");
  const [role, setRole] = useState<UserRole>(user.role);
  const save = async () => {
    await call("editUser", { user_name: user.user_name, body: { display_name: display.trim(), role } });
    onDone();
  };
  return (
    <FormDialog title={`Edit ${user.user_name}`} action="Save" onClose={onClose} onSubmit={save}>
      <Field label="Name for people">
        {(id) => <input id={id} className="input" value={display} autoFocus autoComplete="off" onChange={(event) => setDisplay(event.target.value)} />}
      </Field>
      <Role value={role} onChange={setRole} />
    </FormDialog>
  );
}

/** Sets a password: one's own, or as an administrator another's. */
export function Password({ user, asksCurrent, onClose, onDone }: { user: string; asksCurrent?: boolean; onClose: () => void; onDone?: () => void }) {
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  const { session } = useSession();
  const save = async () => {
    await call("setPassword", { user_name: user, body: { password, ...(asksCurrent ? { current_password: current } : {}) } });
    toast(user === session.user_name ? "Your password is another one now. Sign in with it again." : `${user} has another password now.`);
    onDone?.();
  };
  return (
    <FormDialog title={user === session.user_name ? "Change your password" : `Password of ${user}`} action="Set" onClose={onClose} onSubmit={save}>
      {asksCurrent && <Field label="Password of before">
        {(id) => <input id={id} className="input" type="password" value={current} autoFocus autoComplete="current-password" onChange={(event) => setCurrent(event.target.value)} />}
      </Field>}
      <Field label="New password" hint="At least 8 characters. Every browser that is signed in with the one before is signed out.">
        {(id, described) => <input id={id} className="input" type="password" value={password} autoFocus={!asksCurrent} autoComplete="new-password" aria-describedby={described} onChange={(event) => setPassword(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}

export function Groups() {
  const groups = useQuery("groups", (signal) => call("listGroups", undefined, signal), 30000);
  const [dialog, setDialog] = useState<{ kind: "new" } | { kind: "members" | "delete"; group: Group }>();
  const close = () => setDialog(undefined);
  const own = groups.data?.groups.filter((group) => !group.built_in) ?? [];
  return (
    <Card title="Groups" isFlush actions={<Button icon="plus" tone="primary" onClick={() => setDialog({ kind: "new" })}>New group</Button>}>
      {groups.error && <div className="card-body"><Failure error={groups.error} retry={groups.refresh} /></div>}
      {!groups.data ? groups.isLoading && <Loading lines={3} /> : own.length === 0 ? (
        <Empty icon="people" title="There is no group yet">Share with a group rather than with each of its users: who joins it later has it too.</Empty>
      ) : (
        <ul className="list">{own.map((group) => (
          <li key={group.group_name}>
            <div className="grow"><span className="name">{group.group_name}</span>
              <div className="soft small">{group.members.length === 0 ? "nobody yet" : group.members.join(", ")}</div></div>
            <Button isSmall icon="people" onClick={() => setDialog({ kind: "members", group })} aria-label={`Members of ${group.group_name}`}>Members</Button>
            <Button isSmall tone="quiet" icon="trash" aria-label={`Delete ${group.group_name}`} onClick={() => setDialog({ kind: "delete", group })} />
          </li>
        ))}</ul>
      )}
      {dialog?.kind === "new" && <NewGroup onClose={close} onMade={groups.refresh} />}
      {dialog?.kind === "members" && <Members group={dialog.group} onClose={close} onDone={groups.refresh} />}
      {dialog?.kind === "delete" && (
        <FormDialog title={`Delete ${dialog.group.group_name}?`} action="Delete" tone="danger" onClose={close}
          onSubmit={() => call("deleteGroup", { group_name: dialog.group.group_name }).then(groups.refresh)}>
          <p>What was shared with the group is shared with its members no more.</p>
        </FormDialog>
      )}
    </Card>
  );
}

function NewGroup({ onClose, onMade }: { onClose: () => void; onMade: () => void }) {
  const [name, setName] = useState("");
  const make = () => call("createGroup", { body: { group_name: name.trim() } }).then(onMade);
  return (
    <FormDialog title="New group" action="Make" onClose={onClose} onSubmit={make}>
      <Field label="Name" hint="Letters, digits, and . _ @ + -">
        {(id, described) => <input id={id} className="input" value={name} autoFocus autoComplete="off" spellCheck={false} aria-describedby={described} onChange={(event) => setName(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}

function Members({ group, onClose, onDone }: { group: Group; onClose: () => void; onDone: () => void }) {
  const users = useQuery("users", allUsers);
  const [chosen, setChosen] = useState(new Set(group.members));
  const save = async () => {
    const before = new Set(group.members);
    for (const name of chosen) if (!before.has(name)) await call("addGroupMember", { group_name: group.group_name, user_name: name });
    for (const name of before) if (!chosen.has(name)) await call("removeGroupMember", { group_name: group.group_name, user_name: name });
    onDone();
  };
  const toggle = (name: string) => {
    const next = new Set(chosen);
    if (!next.delete(name)) next.add(name);
    setChosen(next);
  };
  return (
    <FormDialog title={`Members of ${group.group_name}`} action="Save" onClose={onClose} onSubmit={save}>
      {!users.data ? <Loading lines={3} /> : (
        <fieldset className="choices"><legend className="visually-hidden">Members</legend>
          {users.data.filter((user) => user.active || chosen.has(user.user_name)).map((user) => (
            <label key={user.user_name}><input type="checkbox" checked={chosen.has(user.user_name)} onChange={() => toggle(user.user_name)} />
              {user.user_name}{user.display_name && <span className="soft"> {user.display_name}</span>}</label>
          ))}
        </fieldset>
      )}
    </FormDialog>
  );
}
