// A file that is no notebook: what is in it, and a way to save it.
import { Suspense, lazy, useEffect, useRef, useState } from "react";
import { addressOf, call } from "../api/client";
import { loaded } from "../api/connection";
import type { FilePreview, ObjectInfo } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { Highlighted } from "../code/highlight";
import { crumbsOf } from "../notebook/page";
import { TableOutput } from "../output/table";
import { ShareButton } from "../people/share";
import { Icon } from "../ui/icons";
import { Button, Card, Empty, Failure, Heading, Loading, Note } from "../ui/parts";
import { Time, bytes } from "../ui/time";
import { Profile } from "./profile";
import { useLeftDraft } from "./text-draft";

const picture = /\.(png|jpe?g|gif|webp)$/i;
const Pdf = lazy(() => loaded(() => import("./pdf")));
const TextEditor = lazy(() => loaded(() => import("./text").then((one) => ({ default: one.TextEditor }))));
/** Larger files are edited where there is more room. */
const editableSize = 1 << 20;

export function FilePage({ object, refresh, onSaved }: { object: ObjectInfo; refresh: () => void; onSaved: (object: ObjectInfo) => void }) {
  const [isWanted, setEditing] = useState<boolean>();
  const draft = useLeftDraft(object);
  const name = object.path.split("/").pop() ?? object.path;
  const isPicture = picture.test(name);
  const isPdf = /\.pdf$/i.test(name);
  const address = addressOf("downloadFile", { path: object.path, revision_id: object.revision_id, inline: true });
  const file = useQuery(isPicture || isPdf ? null : `preview${object.path}/${object.revision_id}`,
    (signal) => call("previewFile", { path: object.path, rows: 500 }, signal));
  // What is saved here is UTF-8.
  const isText = file.data?.text !== undefined && file.data.encoding === undefined && (object.size ?? 0) <= editableSize;
  // What was typed and not saved is in the editor, where it was; and stays there while a newer revision of the file is read.
  const isOpen = useRef(false);
  const isEditing = (isWanted ?? Boolean(draft)) && (isOpen.current || isText);
  useEffect(() => { isOpen.current = isEditing; });
  const close = (isChanged: boolean) => { setEditing(false); if (isChanged) refresh(); };
  return (
    <div className="content">
      <Heading title={name} crumbs={crumbsOf(object.path)} actions={<>
        <ShareButton type="files" id={String(object.object_id)} name={name} />
        {isText && !isEditing && draft !== undefined && <Button icon="edit" onClick={() => setEditing(true)}>Edit</Button>}
        <a className="button" href={addressOf("downloadFile", { path: object.path })} download={name}><Icon name="download" size={17} />Download</a></>}>
        {object.size !== undefined && bytes(object.size)} · changed <Time value={object.modified_time} /> {object.modified_by && `by ${object.modified_by}`}
      </Heading>
      {file.error && <Failure error={file.error} retry={file.refresh} />}
      {isEditing
        ? <Suspense fallback={<Card isFlush><Loading lines={8} /></Card>}><TextEditor object={object} draft={isWanted === undefined ? draft ?? undefined : undefined} onClose={close} onSaved={onSaved} /></Suspense>
        : isPicture
        ? <Card><img className="file-picture" src={address} alt={name} /></Card>
        : isPdf ? <Suspense fallback={<Card isFlush><Loading lines={12} /></Card>}><Pdf address={address} name={name} /></Suspense>
        : !file.data ? file.isLoading && <Card isFlush><Loading lines={6} /></Card> : <Preview preview={file.data} name={name} />}
    </div>
  );
}

function Preview({ preview, name }: { preview: FilePreview; name: string }) {
  if (preview.size === 0) return <Card><Empty icon="file" title="This file is empty" /></Card>;
  const columns = preview.columns.map((column) => ({ name: column.name, type: typeOf(column.type) }));
  const rows = preview.rows.map((row) => (Array.isArray(row) ? row : [row]));
  return (
    <>
      {preview.problem && <Note tone="warn">{preview.problem}</Note>}
      {preview.encoding && <Note>This is no UTF-8. It is shown as {preview.encoding}, which its bytes look like; to Spark that is said
        with <code>option("encoding", "{preview.encoding}")</code>.</Note>}
      {columns.length > 0 && (
        <>
          <Card title={rows.length < preview.rows_read || !preview.is_whole ? "First rows" : "Rows"} isFlush>
            <TableOutput name={name.replace(/\.[^.]*$/, "")} whole="Download gives all of them"
              table={{ columns, rows, truncated: !preview.is_whole || rows.length < preview.rows_read, total_rows: preview.is_whole ? preview.rows_read : null }} />
          </Card>
          <Profile preview={preview} />
        </>
      )}
      {preview.text !== undefined && (
        <Card title={preview.is_whole && (preview.encoding !== undefined || preview.text.length >= preview.size) ? undefined : "Beginning of the text"} isFlush>
          <pre className="log" tabIndex={0}><Highlighted text={preview.text} language={name.split(".").pop() ?? ""} /></pre>
        </Card>
      )}
      {columns.length === 0 && preview.text === undefined && !preview.problem && (
        <Card><Empty icon="file" title="It cannot be shown">This is no text. Download it to open it elsewhere.</Empty></Card>
      )}
    </>
  );
}

/** The types of tables are Spark's. */
function typeOf(type: string): string {
  switch (type) {
    case "INTEGER": return "bigint";
    case "NUMBER": return "double";
    default: return type.toLowerCase();
  }
}
