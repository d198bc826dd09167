// What was done and refused, for administrators.
import { useState } from "react";
import { call } from "../api/client";
import type { AuditEvent } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { setQuery, useAddress } from "../app/router";
import { Badge, Button, Card, Empty, Failure, Loading, words } from "../ui/parts";
import { Time } from "../ui/time";
import { toastError } from "../ui/toast";

export function Audit() {
  const { query } = useAddress();
  const [user, isRefused] = [query.get("user") ?? "", query.has("refused")];
  const question = { page_size: 100, ...(user.trim() ? { user_name: user.trim() } : {}), ...(isRefused ? { refused_only: true } : {}) };
  const key = `audit/${JSON.stringify(question)}`;
  const newest = useQuery(key, (signal) => call("listAuditEvents", question, signal), 10000);
  const [older, setOlder] = useState<{ key: string; events: AuditEvent[]; token?: string }>();
  const more = older?.key === key ? older : undefined;
  const token = more ? more.token : newest.data?.next_page_token;
  const events = [...(newest.data?.events ?? []), ...(more?.events ?? [])];
  // While older ones are looked at, newer ones come in at the top.
  const shown = events.filter((event, index) => events.findIndex((one) => one.event_id === event.event_id) === index);
  const load = () => {
    call("listAuditEvents", { ...question, page_token: token }).then((page) => {
      setOlder({ key, events: [...(more?.events ?? []), ...page.events], token: page.next_page_token });
    }, toastError);
  };
  return (
    <Card title="Audit log" isFlush actions={<>
      <label className="data-filter"><span className="visually-hidden">Only of this user</span>
        <input type="search" placeholder="User" value={user} onChange={(event) => setQuery("user", event.target.value || null)} /></label>
      <label className="row small"><input type="checkbox" checked={isRefused} onChange={(event) => setQuery("refused", event.target.checked ? "" : null)} />Refused only</label>
    </>}>
      {newest.error && <div className="card-body"><Failure error={newest.error} retry={newest.refresh} /></div>}
      {!newest.data ? newest.isLoading && <Loading lines={6} /> : shown.length === 0 ? <Empty icon="history" title="Nothing of this kind has happened" /> : (
        <div className="table-box" tabIndex={0} role="region" aria-label="Events"><table className="table">
          <thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">What</th><th scope="col" className="wide-only">To what</th>
            <th scope="col">Answer</th><th scope="col" className="wide-only">From</th></tr></thead>
          <tbody>{shown.map((event) => (
            <tr key={event.event_id}>
              <td className="nowrap"><Time value={event.timestamp} /></td>
              <td className="name">{event.user_name ?? <span className="soft">nobody</span>}{event.token_name && <div className="soft small">{event.token_name}</div>}</td>
              <td title={`request ${event.request_id}`}>{words(event.action.replace(/([A-Z])/g, "_$1"))}
                {event.count !== undefined && event.count > 1 && <div className="soft small">{event.count} times within a minute</div>}</td>
              <td className="wide-only">{event.object ?? ""}</td>
              <td>{event.status < 400 ? <Badge tone="good">Done</Badge> : <Badge tone={event.status === 403 || event.status === 401 ? "bad" : "warn"}
                title={event.error_code}>{event.error_code ? words(event.error_code) : String(event.status)}</Badge>}</td>
              <td className="wide-only mono small">{event.source}</td>
            </tr>
          ))}</tbody>
        </table></div>
      )}
      {token !== undefined && <div className="card-body"><Button onClick={load}>Show older ones</Button></div>}
    </Card>
  );
}
