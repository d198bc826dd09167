// Settings: one's own account, tokens and secrets; for administrators users, groups, the storage and the audit log.
import { useState } from "react";
import { call } from "../api/client";
import { useQuery } from "../api/query";
import { Link, setQuery, useAddress } from "../app/router";
import { useSession } from "../app/session";
import { Audit } from "../people/audit";
import { Secrets } from "../people/secrets";
import { Storage } from "../people/storage";
import { Tokens } from "../people/tokens";
import { Groups, Password, Users, roleNames } from "../people/users";
import { Icon } from "../ui/icons";
import { Button, Card, Failure, Heading, Loading, TabPanel, Tabs } from "../ui/parts";

type Tab = "account" | "tokens" | "secrets" | "users" | "groups" | "storage" | "audit";
const own: Array<{ id: Tab; text: string }> = [{ id: "account", text: "Account" }, { id: "tokens", text: "Tokens" }, { id: "secrets", text: "Secrets" }];
const administrators: typeof own = [...own, { id: "users", text: "Users" }, { id: "groups", text: "Groups" }, { id: "storage", text: "Storage" }, { id: "audit", text: "Audit log" }];

export function Settings(_: { id: string }) {
  const { session } = useSession();
  const { query } = useAddress();
  const tabs = session.role === "ADMIN" ? administrators : own;
  const tab = tabs.find((one) => one.id === query.get("tab"))?.id ?? "account";
  return (
    <div className="content">
      <Heading title="Settings" actions={<Link className="button" to="/docs"><Icon name="code" />API</Link>} />
      <Tabs tabs={tabs} current={tab} onChange={(next) => setQuery("tab", next === "account" ? null : next)} label="Parts of the settings" />
      <TabPanel id={tab}>
        {tab === "account" && <Account />}
        {tab === "tokens" && <Tokens />}
        {tab === "secrets" && <Secrets />}
        {tab === "users" && <Users />}
        {tab === "groups" && <Groups />}
        {tab === "storage" && <Storage />}
        {tab === "audit" && <Audit />}
      </TabPanel>
    </div>
  );
}

function Account() {
  const { session } = useSession();
  const me = useQuery("me", (signal) => call("getUser", { user_name: session.user_name }, signal));
  const [isOpen, setOpen] = useState(false);
  if (!me.data) return <Card isFlush>{me.error ? <div className="card-body"><Failure error={me.error} retry={me.refresh} /></div> : <Loading lines={3} />}</Card>;
  const facts: Array<[string, string]> = [
    ["Name to sign in with", me.data.user_name], ["Name for people", me.data.display_name || "–"],
    ["Role", roleNames[me.data.role]], ["Groups", (me.data.groups ?? []).join(", ") || "–"],
    ["Signs in with", me.data.has_password ? "a password, or tokens" : "tokens"],
  ];
  return (
    <Card title="Your account" actions={<Button icon="key" onClick={() => setOpen(true)}>{me.data.has_password ? "Change password" : "Set a password"}</Button>}>
      <div className="fact-grid">{facts.map(([label, value]) => <div key={label}><span className="label">{label}</span><span>{value}</span></div>)}</div>
      {isOpen && <Password user={session.user_name} asksCurrent={me.data.has_password} onClose={() => setOpen(false)} onDone={me.refresh} />}
    </Card>
  );
}
