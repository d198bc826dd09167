// Where large files are kept, whether that can be reached, and what takes up room; for administrators.
import { ReactNode, useState } from "react";
import { call } from "../api/client";
import type { StorageLimits, StorageSetting, StorageStatus, StorageUsage } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { Link } from "../app/router";
import { Badge, Button, Card, Failure, Loading, Note, words } from "../ui/parts";
import { Time, bytes, duration } from "../ui/time";
import { toastError } from "../ui/toast";

export function Storage() {
  const storage = useQuery("storage", (signal) => call("getStorage", {}, signal));
  if (!storage.data) {
    return <Card title="Object storage" isFlush>
      {storage.error ? <div className="card-body"><Failure error={storage.error} retry={storage.refresh} /></div> : <Loading lines={6} label="Asking the storage" />}</Card>;
  }
  const status = storage.data;
  return <>
    {storage.error && <Failure error={storage.error} retry={storage.refresh} />}
    <Place status={status} onChecked={storage.set} />
    <Room status={status} />
    <Card title="Limits"><Limits limits={status.limits} /></Card>
    <Settings settings={status.settings} />
  </>;
}

const backends: Record<StorageStatus["backend"], string> = { LOCAL: "A folder of the server", S3: "A bucket of an S3 server", ABSENT: "Nowhere: none is set up" };

function Place({ status, onChecked }: { status: StorageStatus; onChecked: (status: StorageStatus) => void }) {
  const [isBusy, setBusy] = useState(false);
  // Of a server that says nothing the answer takes seconds.
  const check = () => { setBusy(true); call("getStorage", {}).then(onChecked, toastError).finally(() => setBusy(false)); };
  const facts: Array<[string, ReactNode]> = [["Large files are kept in", backends[status.backend]]];
  const names: Array<[string, string | undefined]> = [
    ["Folder", status.folder], ["Server", status.endpoint], ["Bucket", status.bucket], ["Region", status.region], ["Below", status.prefix]];
  for (const [label, value] of names) if (value !== undefined) facts.push([label, <span className="mono">{value}</span>]);
  facts.push(["Tried out", <><Time value={status.checked_time} />{status.check_milliseconds !== undefined && `, in ${duration(status.check_milliseconds)}`}</>]);
  return (
    <Card title={<>Object storage {status.is_reachable ? <Badge tone="good">Reachable</Badge> : <Badge tone="bad" title={status.error_code}>{status.backend === "ABSENT" ? "None" : "Not reachable"}</Badge>}</>}
      actions={<Button icon="refresh" isBusy={isBusy} onClick={check}>Try again now</Button>}>
      <div className="stack">
        {status.message !== undefined && <Note tone="bad">{status.message} {status.advice}</Note>}
        <div className="fact-grid">{facts.map(([label, value]) => <div key={label}><span className="label">{label}</span><span>{value}</span></div>)}</div>
        {status.free_bytes !== undefined && status.total_bytes !== undefined && (
          <Disk free={status.free_bytes} total={status.total_bytes} own={sum(status.object_usage.filter((one) => one.kind !== "ELSEWHERE"))} />
        )}
      </div>
    </Card>
  );
}

/** The file system that the folder is on: its own files, what else is there, and what is left. */
function Disk({ free, total, own }: { free: number; total: number; own: number }) {
  const others = Math.max(0, total - free - own);
  const isLow = free < total / 20;
  return (
    <div className="storage-part">
      <Bar label={`Of the ${bytes(total)} of its disk, ${bytes(free)} are free.`} total={total} parts={[
        { key: "own", bytes: own, tone: "files" }, { key: "others", bytes: others, tone: "others" }]} />
      <ul className="legend">
        <li><Key tone="files" />Files kept here {bytes(own)}</li><li><Key tone="others" />All else on the disk {bytes(others)}</li>
        <li><Key tone="free" />Free {bytes(free)} of {bytes(total)}</li>
      </ul>
      {isLow && <Note tone="warn">There is little room left. What is in the trash takes up room until it is deleted for good: see <Link to="/trash">the trash</Link>.</Note>}
    </div>
  );
}

const kinds: Record<string, { text: string; hint: string }> = {
  FILES: { text: "Files of the workspace", hint: "their newest revisions" },
  REVISIONS: { text: "Older revisions", hint: "what files were before" },
  TRASH: { text: "In the trash", hint: "can still be restored" },
  UPLOADS: { text: "Uploads on their way", hint: "what has come of them" },
  SWEPT: { text: "Being removed", hint: "nothing refers to it any more" },
  ELSEWHERE: { text: "In another storage", hint: "cannot be read while this one is set up" },
  CONTENT: { text: "Notebooks and small files", hint: "with all their revisions" },
  OUTPUTS: { text: "Outputs of cells", hint: "large ones too" },
  SEARCH: { text: "Search", hint: "the text that is looked into, and its index" },
  RECORDS: { text: "All else", hint: "folders, users, permissions, the audit log" },
};

function Room({ status }: { status: StorageStatus }) {
  const elsewhere = status.object_usage.find((one) => one.kind === "ELSEWHERE");
  return (
    <Card title="What takes up room">
      <div className="stack">
        <p className="soft small storage-counted">Counted <Time value={status.counted_time} />; anew at most once a minute.</p>
        {elsewhere && status.backend !== "ABSENT" && <Note tone="warn">{count(elsewhere.objects ?? 0)} of the workspace are in another storage than this one and cannot be read.
          Set HARBOUR_WORKSPACE_STORAGE_BACKEND back to read them.</Note>}
        <Usage title="In the object storage" usage={status.object_usage}
          empty="Nothing yet. What is uploaded comes here; notebooks, and files that are made here, are in the database." />
        <Usage title="In the database" usage={status.database_usage} empty="Nothing yet." />
      </div>
    </Card>
  );
}

function Usage({ title, usage, empty }: { title: string; usage: StorageUsage[]; empty: string }) {
  const here = usage.filter((one) => one.kind !== "ELSEWHERE");
  const total = sum(usage);
  const objects = here.reduce((all, one) => all + (one.objects ?? 0), 0);
  const hasObjects = usage.some((one) => one.objects !== undefined);
  return (
    <div className="storage-part">
      <h3>{title}<span className="soft"> {bytes(sum(here))}{hasObjects && `, ${count(objects)}`}</span></h3>
      {usage.length === 0 ? <p className="soft">{empty}</p> : <>
        <Bar label={`${title}: ${usage.map((one) => `${nameOf(one)} ${bytes(one.bytes)}`).join(", ")}`} total={Math.max(total, 1)}
          parts={usage.map((one) => ({ key: one.kind, bytes: one.bytes, tone: one.kind.toLowerCase() }))} />
        <ul className="storage-kinds">{usage.map((one) => (
          <li key={one.kind}><Key tone={one.kind.toLowerCase()} />
            <span className="grow">{nameOf(one)} <span className="soft small">{kinds[one.kind]?.hint}</span></span>
            {one.objects !== undefined && <span className="soft small nowrap">{count(one.objects)}</span>}
            <span className="storage-size">{one.bytes === 0 && one.kind === "SWEPT" ? "–" : bytes(one.bytes)}</span></li>
        ))}</ul>
      </>}
    </div>
  );
}

function nameOf(one: StorageUsage): string { return kinds[one.kind]?.text ?? words(one.kind); }
function sum(usage: StorageUsage[]): number { return usage.reduce((all, one) => all + one.bytes, 0); }
function count(objects: number): string { return `${objects.toLocaleString()} ${objects === 1 ? "object" : "objects"}`; }

/** Shares of a whole, side by side. What it shows is said in words too. */
function Bar({ label, total, parts }: { label: string; total: number; parts: Array<{ key: string; bytes: number; tone: string }> }) {
  return (
    <div className="storage-bar" role="img" aria-label={label}>
      {parts.filter((part) => part.bytes > 0).map((part) => <span key={part.key} className={`storage-${part.tone}`} style={{ width: `${part.bytes / total * 100}%` }} />)}
    </div>
  );
}

function Key({ tone }: { tone: string }) { return <span className={`storage-key storage-${tone}`} aria-hidden="true" />; }

function inDays(seconds: number): string {
  const days = seconds / 86400;
  return Number.isInteger(days) ? `${days} ${days === 1 ? "day" : "days"}` : duration(seconds * 1000);
}

function Limits({ limits }: { limits: StorageLimits }) {
  const facts: Array<[string, string]> = [
    ["Largest file", bytes(limits.max_file_bytes)], ["Uploads come in chunks of", bytes(limits.chunk_bytes)],
    ["Uploads under way for each user", `at most ${limits.max_open_uploads}`],
    ["An upload that was broken off is kept", inDays(limits.upload_expiry_seconds)],
    ["The trash is kept", limits.trash_days === 0 ? "for ever" : inDays(limits.trash_days * 86400)],
    ["Room for each user", "without a quota"],
  ];
  return <div className="fact-grid">{facts.map(([label, value]) => <div key={label}><span className="label">{label}</span><span>{value}</span></div>)}</div>;
}

function Settings({ settings }: { settings: StorageSetting[] }) {
  return (
    <Card title="What changes it" isFlush actions={<Link className="button" to="/docs/getStorage">In the API</Link>}>
      <p className="card-body soft">Set these where the services are started, and start them again: in the environment, or in the file
        given by <code>--config</code>. <code>workspace --help</code> lists all of them.</p>
      <div className="table-box" tabIndex={0} role="region" aria-label="Settings of the storage"><table className="table">
        <thead><tr><th scope="col">Setting</th><th scope="col">Value</th><th scope="col" className="wide-only">What it means</th></tr></thead>
        <tbody>{settings.map((one) => (
          <tr key={one.name}>
            <td className="name"><code className="storage-name">{one.name}</code>
              {one.aliases.length > 0 && <div className="soft small">or {one.aliases.map((alias, index) => <span key={alias}>{index > 0 && ", "}<code className="storage-name">{alias}</code></span>)}</div>}</td>
            <td>{one.value !== undefined ? <span className="mono">{one.value}</span> : <span className="soft">{one.is_set ? "set, not shown" : "not set"}</span>}
              {one.value !== undefined && !one.is_set && <span className="soft small nowrap"> default</span>}</td>
            <td className="wide-only small">{one.description}</td>
          </tr>
        ))}</tbody>
      </table></div>
    </Card>
  );
}
