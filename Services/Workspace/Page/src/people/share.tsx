// Who may do what with a folder, a notebook, a cluster, a job or a secret scope, and giving it to others.
import { FormEvent, useEffect, useMemo, useRef, useState } from "react";
import { call, pages } from "../api/client";
import type { AccessControl, AccessControlEntry, ObjectPermissions, PermissionLevel, User } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { Badge, Button, Dialog, Failure, Field, Loading, Note } from "../ui/parts";
import { toast, toastError } from "../ui/toast";

export type ObjectType = "directories" | "notebooks" | "files" | "clusters" | "jobs" | "secret-scopes";

const levelNames: Record<PermissionLevel, string> = {
  CAN_VIEW: "Can view", CAN_READ: "Can read", CAN_RUN: "Can run", CAN_EDIT: "Can edit", CAN_MANAGE: "Can manage",
  CAN_ATTACH_TO: "Can attach to", CAN_RESTART: "Can restart", CAN_MANAGE_RUN: "Can manage runs", IS_OWNER: "Owner",
  READ: "Can use", WRITE: "Can write", MANAGE: "Can manage",
};

export function levelName(level: PermissionLevel): string { return levelNames[level] ?? level; }

/** All users, for lists to choose from. */
export function allUsers(signal?: AbortSignal): Promise<User[]> {
  return pages<User>(async (token) => {
    const page = await call("listUsers", { page_size: 500, page_token: token }, signal);
    return { items: page.users, token: page.next_page_token };
  });
}

/** A button that opens the dialog; the object's id may have to be looked up by its path. */
export function ShareButton({ type, id, path, name, isIcon }: {
  type: ObjectType; id?: string; path?: string; name: string; isIcon?: boolean;
}) {
  const [isOpen, setOpen] = useState(false);
  const [found, setFound] = useState(id);
  const open = () => {
    if (found !== undefined || path === undefined) { setOpen(true); return; }
    call("getObject", { path }).then((object) => { setFound(String(object.object_id)); setOpen(true); }, toastError);
  };
  return (
    <>
      <Button icon="people" onClick={open} aria-haspopup="dialog" aria-label={isIcon ? `Share ${name}` : undefined}>{isIcon ? undefined : "Share"}</Button>
      {isOpen && found !== undefined && <Share type={type} id={found} name={name} onClose={() => setOpen(false)} />}
    </>
  );
}

/** What was given on the object itself, as it is sent back. */
function given(permissions: ObjectPermissions): AccessControl[] {
  return permissions.access_control_list.flatMap((entry) => entry.all_permissions
    .filter((one) => !one.inherited && one.permission_level !== "IS_OWNER")
    .map((one) => ({ user_name: entry.user_name, group_name: entry.group_name, permission_level: one.permission_level })));
}

function isOf(one: AccessControl, entry: AccessControlEntry): boolean {
  return one.user_name === entry.user_name && one.group_name === entry.group_name;
}

function Share({ type, id, name, onClose }: { type: ObjectType; id: string; name: string; onClose: () => void }) {
  const permissions = useQuery(`permissions/${type}/${id}`, (signal) => call("getPermissions", { object_type: type, object_id: id }, signal));
  const levels = useQuery(`levels/${type}`, (signal) => call("getPermissionLevels", { object_type: type, object_id: id }, signal));
  const [isBusy, setBusy] = useState(false);
  const mayGive = permissions.data?.effective_level === "CAN_MANAGE" || permissions.data?.effective_level === "MANAGE";
  const save = (list: AccessControl[], said: string) => {
    setBusy(true);
    // What could not be shared stays as it was typed.
    return call("setPermissions", { object_type: type, object_id: id, body: { access_control_list: list } }).then((answer) => {
      permissions.set(answer);
      toast(said);
      return true;
    }, (error: unknown) => { toastError(error); return false; }).finally(() => setBusy(false));
  };
  const change = (entry: AccessControlEntry, level: PermissionLevel | "") => {
    if (!permissions.data) return;
    const others = given(permissions.data).filter((one) => !isOf(one, entry));
    const who = entry.user_name ?? entry.group_name ?? "";
    void save(level === "" ? others : [...others, { user_name: entry.user_name, group_name: entry.group_name, permission_level: level }],
      level === "" ? `Taken away from ${who}.` : `${who}: ${levelName(level).toLowerCase()}.`);
  };
  return (
    <Dialog title={`Share ${name}`} onClose={onClose} foot={<Button onClick={onClose}>Done</Button>}>
      <div className="dialog-body">
        {permissions.error && <Failure error={permissions.error} retry={permissions.refresh} />}
        {!permissions.data || !levels.data ? !permissions.error && <Loading lines={4} /> : (
          <>
            {mayGive ? <Give levels={levels.data.permission_levels.map((one) => one.permission_level)} isBusy={isBusy}
              onGive={(entry) => save([...given(permissions.data as ObjectPermissions).filter((one) => !isOf(one, { ...entry, all_permissions: [] })), entry],
                `Shared with ${entry.user_name ?? entry.group_name}.`)} />
              : <Note>Only who may manage it can share it.</Note>}
            <ul className="people-list" aria-label="Who may use it">
              {permissions.data.access_control_list.map((entry) => (
                <Entry key={`${entry.user_name ?? ""}/${entry.group_name ?? ""}`} entry={entry} isBusy={isBusy}
                  levels={mayGive ? levels.data?.permission_levels.map((one) => one.permission_level) ?? [] : []} onChange={(level) => change(entry, level)} />
              ))}
            </ul>
            <details><summary className="soft small">What the levels allow</summary>
              <dl className="facts small">{levels.data.permission_levels.flatMap((one) => [
                <dt key={one.permission_level}>{levelName(one.permission_level)}</dt>, <dd key={`${one.permission_level}=`}>{one.description}</dd>])}</dl>
            </details>
          </>
        )}
      </div>
    </Dialog>
  );
}

function Entry({ entry, levels, isBusy, onChange }: {
  entry: AccessControlEntry; levels: PermissionLevel[]; isBusy: boolean; onChange: (level: PermissionLevel | "") => void;
}) {
  const own = entry.all_permissions.find((one) => !one.inherited);
  const who = entry.user_name ?? entry.group_name ?? "";
  return (
    <li>
      <div className="grow">
        <span className="name">{who}</span>{entry.group_name !== undefined && <span className="soft small"> group</span>}
        {entry.all_permissions.filter((one) => one.inherited).map((one) => (
          <div key={`${one.permission_level}${one.inherited_from_object?.[0] ?? ""}`} className="soft small">
            {levelName(one.permission_level)}, from {one.inherited_from_object?.[0] ?? "above"}</div>
        ))}
      </div>
      {own && (own.permission_level === "IS_OWNER" || levels.length === 0 ? <Badge tone="idle">{levelName(own.permission_level)}</Badge> : (
        <>
          <select className="input small" aria-label={`Permission of ${who}`} value={own.permission_level} disabled={isBusy}
            onChange={(event) => onChange(event.target.value as PermissionLevel)}>
            {levels.map((level) => <option key={level} value={level}>{levelName(level)}</option>)}
          </select>
          <Button isSmall tone="quiet" icon="trash" aria-label={`Take away from ${who}`} disabled={isBusy} onClick={() => onChange("")} />
        </>
      ))}
    </li>
  );
}

function Give({ levels, isBusy, onGive }: {
  levels: PermissionLevel[]; isBusy: boolean; onGive: (entry: AccessControl) => Promise<boolean>;
}) {
  const users = useQuery("users", allUsers);
  const groups = useQuery("groups", (signal) => call("listGroups", undefined, signal));
  // Whom there is has to be known before somebody is said not to be.
  const isReading = [users, groups].some((one) => one.isLoading && !one.data);
  const [who, setWho] = useState("");
  const [level, setLevel] = useState<PermissionLevel>(levels[0] ?? "CAN_READ");
  const [problem, setProblem] = useState<string>();
  const choices = useMemo(() => [
    ...(groups.data?.groups.map((one) => ({ text: one.group_name, hint: "group" })) ?? []),
    ...(users.data?.filter((one) => one.active).map((one) => ({ text: one.user_name, hint: one.display_name ?? "" })) ?? []),
  ], [users.data, groups.data]);
  // Who is quicker than the reading waits for it.
  const isMeant = useRef(false);
  useEffect(() => {
    if (isReading || !isMeant.current) return;
    isMeant.current = false;
    give();
  }, [isReading]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isReading) { isMeant.current = true; return; }
    give();
  };
  const give = () => {
    const name = who.trim();
    // A name may be a user's and a group's; then the user is meant.
    const isUser = users.data?.some((one) => one.user_name === name);
    if (!isUser && !groups.data?.groups.some((one) => one.group_name === name)) {
      setProblem(name ? `There is no user or group ${name}.` : "Name a user or a group.");
      return;
    }
    void onGive({ ...(isUser ? { user_name: name } : { group_name: name }), permission_level: level }).then((isGiven) => { if (isGiven) setWho(""); });
  };
  return (
    <form className="share-form" onSubmit={submit} noValidate>
      <Field label="User or group" problem={problem}>
        {(id, described) => (
          <>
            <input id={id} className="input" list={`${id}-choices`} value={who} autoFocus autoComplete="off" spellCheck={false} aria-describedby={described}
              aria-invalid={problem !== undefined} onChange={(event) => { setWho(event.target.value); setProblem(undefined); isMeant.current = false; }} />
            <datalist id={`${id}-choices`}>{choices.map((one) => <option key={`${one.hint} ${one.text}`} value={one.text}>{one.hint}</option>)}</datalist>
          </>
        )}
      </Field>
      <Field label="Permission">
        {(id) => <select id={id} className="input" value={level} onChange={(event) => setLevel(event.target.value as PermissionLevel)}>
          {levels.map((one) => <option key={one} value={one}>{levelName(one)}</option>)}
        </select>}
      </Field>
      <Button type="submit" tone="primary" isBusy={isBusy}>Share</Button>
    </form>
  );
}
