// A file that is no notebook: its text when it is one, and a way to save it.
import { call } from "../api/client";
import type { ObjectInfo } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { Highlighted } from "../code/highlight";
import { crumbsOf } from "../notebook/page";
import { save } from "../output/table";
import { ShareButton } from "../people/share";
import { Button, Card, Empty, Failure, Heading, Loading } from "../ui/parts";
import { Time, bytes } from "../ui/time";

const shownBytes = 200000;

export function FilePage({ object }: { object: ObjectInfo }) {
  const name = object.path.split("/").pop() ?? object.path;
  const file = useQuery(`file${object.path}/${object.revision_id}`, async (signal) => {
    const { content } = await call("exportObject", { path: object.path }, signal);
    return Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
  });
  const text = file.data && readable(file.data);
  return (
    <div className="content">
      <Heading title={name} crumbs={crumbsOf(object.path)} actions={<>
        <ShareButton type="files" id={String(object.object_id)} name={name} />
        <Button icon="download" disabled={!file.data} onClick={() => { if (file.data) save(name, "application/octet-stream", file.data); }}>Save</Button></>}>
        {object.size !== undefined && bytes(object.size)} · changed <Time value={object.modified_time} /> {object.modified_by && `by ${object.modified_by}`}
      </Heading>
      {file.error && <Failure error={file.error} retry={file.refresh} />}
      <Card isFlush>
        {!file.data ? file.isLoading && <Loading lines={6} /> : text === undefined
          ? <Empty icon="file" title="It cannot be shown">This is no text. Save it to open it elsewhere.</Empty>
          : <pre className="log" tabIndex={0}><Highlighted text={text} language={name.split(".").pop() ?? ""} /></pre>}
      </Card>
    </div>
  );
}

function readable(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: bytes.length <= shownBytes }).decode(bytes.subarray(0, shownBytes));
    if (text.includes("\u0000")) return undefined;
    return bytes.length > shownBytes ? `${text}\n… (${(bytes.length - shownBytes).toLocaleString()} bytes more)` : text;
  } catch {
    return undefined;
  }
}
