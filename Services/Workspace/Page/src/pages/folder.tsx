// A folder: what is in it, making and bringing things, moving and deleting.
import { DragEvent, FormEvent, useEffect, useRef, useState } from "react";
import { ApiError, addressOf, call, pages } from "../api/client";
import type { ObjectInfo } from "../api/generated/contract";
import { useQuery } from "../api/query";
import { Link, fromHere, navigate, treeAddress } from "../app/router";
import { base64 } from "../notebook/saver";
import { crumbsOf } from "../notebook/page";
import { focusContent, focusRow } from "../ui/focus";
import { Menu } from "../ui/menu";
import { Button, Card, Dialog, Empty, Failure, Field, Heading, Loading } from "../ui/parts";
import { Icon, IconName } from "../ui/icons";
import { Time, bytes } from "../ui/time";
import { toast, toastError } from "../ui/toast";
import { ShareButton } from "../people/share";
import { bring, onArrival } from "../files/uploads";

export const icons: Record<ObjectInfo["object_type"], IconName> = { DIRECTORY: "folder", NOTEBOOK: "notebook", FILE: "file" };

/** What can be done with an entry. */
type Act = "copy" | "move" | "delete";

export function Folder({ path }: { path: string }) {
  const objects = useQuery(`list${path}`, (signal) => pages<ObjectInfo>(async (token) => {
    const page = await call("listObjects", { path, page_size: 200, page_token: token }, signal);
    return { items: page.objects, token: page.next_page_token };
  }), 15000);
  const [dialog, setDialog] = useState<{ kind: "notebook" | "folder" } | { kind: Exclude<Act, "delete">; object: ObjectInfo }>();
  const [isOver, setOver] = useState(false);
  const chooser = useRef<HTMLInputElement>(null);
  const archiveChooser = useRef<HTMLInputElement>(null);
  const title = path === "/" ? "Workspace" : path.split("/").pop() ?? path;
  const close = () => setDialog(undefined);
  const { refresh } = objects;
  useEffect(() => onArrival((folder) => { if (folder === path) refresh(); }), [path, refresh]);
  const drop = (event: DragEvent) => { event.preventDefault(); setOver(false); bring(event.dataTransfer.files, path); };
  return (
    <div className={isOver ? "content dropping" : "content"} onDrop={drop}
      onDragOver={(event) => { if (event.dataTransfer.types.includes("Files")) { event.preventDefault(); setOver(true); } }}
      onDragLeave={(event) => { if (event.currentTarget === event.target) setOver(false); }}>
      <Heading title={title} crumbs={path === "/" ? [] : crumbsOf(path)} actions={<>
        {path !== "/" && path !== "/Users" && <ShareButton type="directories" path={path} name={title} />}
        <Button icon="upload" onClick={() => chooser.current?.click()}>Upload</Button>
        <Button icon="folder" onClick={() => setDialog({ kind: "folder" })}>New folder</Button>
        <Button icon="plus" tone="primary" onClick={() => setDialog({ kind: "notebook" })}>New notebook</Button>
        <Menu label="More" items={[
          // The browser alone knows when it begins.
          { text: "Export as a zip archive", icon: "download", href: addressOf("exportFolder", { path }),
            run: () => toast(`Preparing ${path === "/" ? "workspace" : title}.zip. Your browser saves it as it comes.`, "plain") },
          { text: "Import a zip archive", icon: "archive", run: () => archiveChooser.current?.click() },
          { text: "Open the trash", icon: "trash", to: "/trash" },
        ]} />
        <input ref={chooser} type="file" multiple hidden aria-label="Files to upload" onChange={(event) => { bring([...event.target.files ?? []], path); event.target.value = ""; }} />
        <input ref={archiveChooser} type="file" accept=".zip,application/zip" hidden aria-label="Archive to import"
          onChange={(event) => { bring([...event.target.files ?? []], path, true); event.target.value = ""; }} />
      </>} />
      {objects.error && <Failure error={objects.error} retry={objects.refresh} />}
      <Card isFlush>
        {!objects.data ? objects.isLoading && <Loading lines={6} /> : objects.data.length === 0 ? (
          <Empty icon="folder" title="This folder is empty" action={<Button icon="plus" tone="primary" onClick={() => setDialog({ kind: "notebook" })}>New notebook</Button>}>
            Make a notebook, or drop files here: <code>.ipynb</code>, <code>.py</code> and <code>.sql</code> become notebooks.</Empty>
        ) : (
          <div className="table-box"><table className="table">
            <thead><tr><th scope="col">Name</th><th scope="col" className="wide-only">Language</th><th scope="col">Changed</th>
              <th scope="col" className="number wide-only">Size</th><th scope="col"><span className="visually-hidden">Actions</span></th></tr></thead>
            <tbody>{objects.data.map((object) => <Row key={object.object_id} object={object} 
              onAct={(kind) => { if (kind === "delete") remove(object, objects.refresh); else setDialog({ kind, object }); }} />)}</tbody>
          </table></div>
        )}
      </Card>
      {dialog?.kind === "notebook" && <NewNotebook folder={path} onClose={close} />}
      {dialog?.kind === "folder" && <NewFolder folder={path} onClose={close} onMade={objects.refresh} />}
      {dialog?.kind === "copy" && <Copy object={dialog.object} taken={objects.data?.map(nameOf) ?? []} onClose={close} onCopied={objects.refresh} />}
      {dialog?.kind === "move" && <Move object={dialog.object} onClose={close} onMoved={objects.refresh} />}
    </div>
  );
}

export function lastPart(path: string): string { return path.split("/").pop() ?? path; }
export function folderOf(path: string): string { return path.slice(0, path.lastIndexOf("/")) || "/"; }
function nameOf(object: ObjectInfo): string { return lastPart(object.path); }
export function below(folder: string, name: string): string { return folder === "/" ? `/${name}` : `${folder}/${name}`; }

/** A name for another of its kind beside it: data.csv becomes data copy.csv, and then data copy 2.csv. */
export function besides(name: string, type: ObjectInfo["object_type"], word: string, taken: string[]): string {
  const dot = type === "DIRECTORY" ? -1 : name.lastIndexOf(".");
  const [stem, end] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
  for (let count = 1; ; count += 1) {
    const found = `${stem} ${word}${count > 1 ? ` ${count}` : ""}${end}`;
    if (!taken.includes(found)) return found;
  }
}

function Row({ object, onAct }: { object: ObjectInfo; onAct: (kind: Act) => void }) {
  const name = nameOf(object);
  return (
    <tr>
      <td className="name"><Link to={treeAddress(object.path)} className="object"><Icon name={icons[object.object_type]} size={18} /><span>{name}</span></Link></td>
      <td className="wide-only soft">{object.language ?? ""}</td>
      <td><Time value={object.modified_time} />{object.modified_by && <span className="soft small wide-only"> by {object.modified_by}</span>}</td>
      <td className="number wide-only soft">{object.size !== undefined ? bytes(object.size) : ""}</td>
      <td className="number nowrap">
        <Button isSmall tone="quiet" icon="copy" aria-label={`Copy ${name}`} onClick={() => onAct("copy")} />
        <Button isSmall tone="quiet" icon="edit" aria-label={`Rename or move ${name}`} onClick={() => onAct("move")} />
        <Button isSmall tone="quiet" icon="trash" aria-label={`Delete ${name}`} onClick={() => onAct("delete")} />
      </td>
    </tr>
  );
}

/** A dialog that asks for one text and does one thing with it. */
export function Ask({ title, label, initial, action, hint, onClose, onSubmit, children }: {
  title: string; label: string; initial: string; action: string; hint?: string; onClose: () => void;
  onSubmit: (text: string) => Promise<unknown>; children?: React.ReactNode;
}) {
  const [text, setText] = useState(initial);
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!text.trim()) { setProblem("Give it a name."); return; }
    setBusy(true);
    onSubmit(text.trim()).then(onClose, (error: unknown) => { setBusy(false); setProblem(error instanceof Error ? error.message : String(error)); });
  };
  return (
    <Dialog title={title} onClose={onClose} foot={<><Button onClick={onClose}>Cancel</Button>
      <Button tone="primary" type="submit" form="ask" isBusy={isBusy}>{action}</Button></>}>
      <form id="ask" className="dialog-body" onSubmit={submit} noValidate>
        <Field label={label} problem={problem} hint={hint}>
          {(id, described) => <input id={id} className="input" value={text} autoFocus autoComplete="off" onFocus={(event) => markName(event.target)} aria-describedby={described}
            aria-invalid={problem !== undefined} onChange={(event) => { setText(event.target.value); setProblem(undefined); }} />}
        </Field>
        {children}
      </form>
    </Dialog>
  );
}

/** In a path the name is marked, without its ending: that is what is changed most often. */
function markName(field: HTMLInputElement): void {
  const start = field.value.lastIndexOf("/") + 1;
  const end = field.value.lastIndexOf(".");
  field.setSelectionRange(start, end > start ? end : field.value.length);
}

function NewNotebook({ folder, onClose }: { folder: string; onClose: () => void }) {
  const [language, setLanguage] = useState("python");
  const make = async (name: string) => {
    const document = {
      cells: [{ cell_type: "code", id: "first", metadata: {}, source: [], outputs: [], execution_count: null }],
      metadata: { language_info: { name: language } }, nbformat: 4, nbformat_minor: 5,
    };
    const path = below(folder, name);
    const go = fromHere();
    await call("importObject", { body: { path, content: base64(JSON.stringify(document)), format: "JUPYTER" } });
    go(treeAddress(path));
  };
  return (
    <Ask title="New notebook" label="Name" initial="" action="Create" onClose={onClose} onSubmit={make}>
      <Field label="Language" hint="Each cell can have another one.">
        {(id, described) => (
          <select id={id} className="input" value={language} onChange={(event) => setLanguage(event.target.value)} aria-describedby={described}>
            <option value="python">Python</option><option value="sql">SQL</option>
          </select>
        )}
      </Field>
    </Ask>
  );
}

function NewFolder({ folder, onClose, onMade }: { folder: string; onClose: () => void; onMade: () => void }) {
  const make = async (name: string) => {
    const path = below(folder, name);
    // The server has no objection to a folder that is there already, but its user meant a new one.
    const there = await call("getObject", { path }).catch((error: unknown) => { if (!(error instanceof ApiError && error.status === 404)) throw error; });
    if (there) throw new Error(`${name} is there already. Choose another name.`);
    await call("makeDirectories", { body: { path } });
    onMade();
  };
  return <Ask title="New folder" label="Name" initial="" action="Create" onClose={onClose} onSubmit={make} />;
}

function Copy({ object, taken, onClose, onCopied }: { object: ObjectInfo; taken: string[]; onClose: () => void; onCopied: () => void }) {
  const copy = async (to: string) => {
    await call("copyObject", { body: { source_path: object.path, destination_path: to } });
    toast(`${nameOf(object)} was copied to ${to}.`, "good", { text: "Open", run: () => navigate(treeAddress(to)) });
    onCopied();
  };
  return <Ask title={`Copy ${nameOf(object)}`} label="Path of the copy" action="Copy" onClose={onClose} onSubmit={copy}
    initial={below(folderOf(object.path), besides(nameOf(object), object.object_type, "copy", taken))}
    hint={object.object_type === "DIRECTORY" ? "With everything in it, as it is now; without the history." : "As it is now; without its history."} />;
}

function Move({ object, onClose, onMoved }: { object: ObjectInfo; onClose: () => void; onMoved: () => void }) {
  const move = async (to: string) => {
    if (to !== object.path) {
      await call("moveObject", { body: { source_path: object.path, destination_path: to } });
      toast(`${nameOf(object)} is now ${to}.`, "good", {
        text: "Undo", run: () => {
          call("moveObject", { body: { source_path: to, destination_path: object.path } }).then(() => { focusRow(treeAddress(object.path)); onMoved(); }, toastError);
        },
      });
    }
    onMoved();
  };
  return <Ask title="Rename or move" label="Path" initial={object.path} action="Move" hint="Another folder moves it there." onClose={onClose} onSubmit={move} />;
}

/** Nobody is asked: whoever did not mean it takes it back. */
function remove(object: ObjectInfo, onChanged: () => void): void {
  call("deleteObject", { body: { path: object.path, recursive: object.object_type === "DIRECTORY" } }).then((deleted) => {
    const restore = () => {
      call("restoreDeletion", { deletion_id: deleted.deletion_id, body: {} }).then(() => { focusRow(treeAddress(object.path)); onChanged(); }, toastError);
    };
    toast(`${nameOf(object)} is in the trash.`, "good", { text: "Undo", run: restore });
    onChanged();
    focusContent();
  }, toastError);
}
