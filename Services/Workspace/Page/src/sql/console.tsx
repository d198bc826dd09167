// The console of SQL: the editor, the result of what was run last, and what was run before.
import { Suspense, lazy, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { call } from "../api/client";
import type { NotebookContent } from "../api/generated/contract";
import type { Found } from "../drafts/shelf";
import type { EditorAction } from "../code/editing";
import { Highlighted } from "../code/highlight";
import { useAssistant } from "../notebook/assistant";
import { Runner } from "../notebook/runner";
import { base64, useSaver } from "../notebook/saver";
import type { CellView } from "../notebook/cells";
import { NotebookStore, useStore } from "../notebook/store";
import { Attach } from "../notebook/toolbar";
import { Outputs } from "../output/outputs";
import { Link, setQuery, treeAddress, useAddress } from "../app/router";
import { Badge, Button, Card, Dialog, Empty, Field, Heading, Note } from "../ui/parts";
import { Span, Time, moment } from "../ui/time";
import { toast, toastError } from "../ui/toast";
import { type StatementDraft, useStatement } from "./statement";
import { headOf, sqlNotebook, statementsOf } from "./statements";

const Editor = lazy(() => import("../code/editor"));
const page = { name: "the SQL console", address: "/sql" };
/** How many statements are kept. */
const kept = 200;

export function Console({ content, user, left }: { content: NotebookContent; user: string; left: Found<StatementDraft>[] }) {
  const store = useMemo(() => new NotebookStore(content), [content]);
  const runner = useMemo(() => new Runner(store), [store]);
  const state = useStore(store);
  const running = useSyncExternalStore(runner.subscribe, () => runner.state);
  const saver = useSaver(store, undefined, false, page);
  const { text, setText, latest, other, onSwap } = useStatement(user, left, "SELECT 1 AS answer");
  const { query } = useAddress();
  const shown = query.get("statement")?.split(",");
  const [isSaving, setSaving] = useState(false);
  const [isChoosing, setChoosing] = useState(false);
  // An editor is made anew for a text that did not come from it.
  const [edition, setEdition] = useState(0);
  const selection = useRef("");
  const assistant = useAssistant(store.notebookID, "sql");
  const waiting = useRef<string[]>();

  useEffect(() => {
    runner.open(content);
    return () => runner.close();
  }, [runner, content]);
  runner.save = saver.save;
  // Another tab has run something meanwhile: statements are added and never changed, so theirs and these go together.
  runner.onConflict = () => { void saver.save(); };

  const history = useMemo(() => state.cells.filter((cell) => cell.type === "code" && cell.source.trim() !== "").reverse(), [state.cells]);
  const chosen = (shown ?? []).map((id) => store.cell(id)).filter((cell): cell is CellView => cell !== undefined);
  // What an address says may be gone since.
  const current = chosen.length > 0 ? chosen : history.slice(0, 1);
  const isBusy = running.queue.length > 0;

  const show = (ids: string[]) => setQuery("statement", ids.join(","));
  const begin = (statements: string[]) => {
    const empty = store.state.cells.filter((cell) => cell.source.trim() === "").map((cell) => cell.id);
    const ids = statements.map((one) => store.insert(store.state.cells.length, { source: one }));
    const old = store.state.cells.slice(0, Math.max(0, store.state.cells.length - kept)).map((cell) => cell.id);
    store.remove([...empty, ...old]);
    show(ids);
    void runner.run("SELECTED", ids);
  };
  const run = () => {
    const wanted = statementsOf(selection.current.trim() || latest.current).map((one) => one.text);
    if (wanted.length === 0) { toast("There is no statement to run.", "plain"); return; }
    if (runner.state.cluster) { begin(wanted); return; }
    // It runs as soon as it is known where.
    waiting.current = wanted;
    setChoosing(true);
  };
  const hasChosen = (isChosen: boolean) => {
    setChoosing(false);
    if (isChosen && waiting.current) begin(waiting.current);
    waiting.current = undefined;
  };
  // Also when it was chosen already, and that was not known here yet.
  useEffect(() => { if (running.cluster && waiting.current) hasChosen(true); }, [running.cluster]);
  const reuse = (source: string) => { setText(source); setEdition(edition + 1); selection.current = ""; };
  const hint = useRef<HTMLParagraphElement>(null);
  const actions: EditorAction[] = [
    { id: "run", label: "Run the statements", keys: ["Ctrl+Enter", "Mod+Enter", "Shift+Enter"], run: () => run() },
    // Tab is a letter there: without this the keyboard could not get to what follows.
    { id: "leave", label: "Leave the editor", keys: ["Escape"], run: () => hint.current?.focus() },
  ];

  return (
    <div className="content">
      <Heading title="SQL" actions={<>
        <Attach runner={runner} state={running} isOpen={isChoosing} onOpen={() => setChoosing(true)} onClose={hasChosen} />
        {isBusy && <Button icon="stop" tone="danger" onClick={() => { runner.interrupt().catch(toastError); }}>Cancel</Button>}
        <Button icon="play" tone="primary" onClick={run}>Run</Button>
        <Button icon="download" onClick={() => setSaving(true)}>Save as notebook</Button>
      </>} />
      {running.problem && <Note tone="bad">{running.problem}</Note>}
      {running.message && !running.problem && <Note tone="warn">{running.message}</Note>}
      <div className="sql">
        <div className="sql-main">
          {other && <Note><div className="row spread wrap"><span role="status">Another tab had this {moment(other.time)}: <code>{headOf(other.content.text)}</code></span>
            <Button isSmall onClick={() => { onSwap(); setEdition(edition + 1); }}>Show it instead</Button></div></Note>}
          <div className="sql-editor card">
            <Suspense fallback={<pre className="cell-source"><Highlighted text={text} language="sql" /></pre>}>
              <Editor key={edition} value={text} language="sql" label="Statement" shape="page" takesFocus actions={actions} assistant={assistant} onChange={setText}
                onSelect={(chosen) => { selection.current = chosen; }} />
            </Suspense>
          </div>
          <p ref={hint} tabIndex={-1} className="small soft"><kbd>Ctrl</kbd> <kbd>Enter</kbd> runs everything, or what is selected. Several statements are parted by semicolons.
            {" "}<kbd>Tab</kbd> completes keywords and the names of tables and columns, <kbd>Shift</kbd> <kbd>Tab</kbd> tells about them; <kbd>Esc</kbd> leaves the editor.</p>
          {current.length === 0 ? <Card><Empty icon="play" title="Nothing has been run yet">The result comes here. It stays on the server, also when this tab is closed.</Empty></Card>
            : current.map((cell, index) => <Result key={cell.id} cell={cell} runner={runner} number={current.length > 1 ? index + 1 : undefined} />)}
        </div>
        <History cells={history} current={current} onShow={(id) => show([id])} onReuse={reuse} path={store.path} />
      </div>
      {isSaving && <SaveAs user={user} statements={statementsOf(text).map((one) => one.text)} onClose={() => setSaving(false)} />}
    </div>
  );
}

function Result({ cell, runner, number }: { cell: CellView; runner: Runner; number: number | undefined }) {
  // How the kernel ended what was cancelled is no news.
  const told = useMemo(() => cell.run?.state === "cancelled" ? cell.outputs.filter((one) => one.output_type !== "error") : cell.outputs,
    [cell.outputs, cell.run?.state]);
  const isOpen = cell.run?.state === "running" || cell.run?.state === "waiting";
  return (
    <section className="sql-result" aria-label={number ? `Result ${number}` : "Result"}>
      <div className="row wrap"><State cell={cell} />{number && <code className="truncate soft">{headOf(cell.source)}</code>}</div>
      <Outputs outputs={told} name={number ? `result-${number}` : "result"} load={(isWhole) => runner.loading.get(cell.id, isWhole)} />
      {cell.outputs.length === 0 && !isOpen && cell.run?.state === "done" && <p className="soft">It has no result.</p>}
    </section>
  );
}

function State({ cell }: { cell: CellView }) {
  const run = cell.run;
  switch (run?.state) {
    case "waiting": return <Badge tone="busy">Waits</Badge>;
    case "running": return <span className="row" role="status"><Badge tone="busy">Runs</Badge><span className="small soft"><Span from={run.start} to={undefined} /></span></span>;
    case "failed": return <Badge tone="bad">Failed</Badge>;
    case "cancelled": return <Badge tone="warn">Cancelled</Badge>;
    case "done": return <span className="row"><Badge tone="good">Done</Badge>{run.start !== undefined && run.end !== undefined && <span className="small soft"><Span from={run.start} to={run.end} /></span>}</span>;
    default: return <Badge tone="idle">{cell.outputs.length > 0 ? "Run before" : "Not run"}</Badge>;
  }
}

function History({ cells, current, onShow, onReuse, path }: {
  cells: CellView[]; current: CellView[]; onShow: (id: string) => void; onReuse: (source: string) => void; path: string;
}) {
  return (
    <Card title="History" isFlush actions={cells.length > 0 && <Link className="small" to={treeAddress(path)}>As a notebook</Link>}>
      {cells.length === 0 ? <p className="card-body soft">What you run is listed here.</p> : (
        <ol className="sql-history" aria-label="What was run, newest first">
          {cells.map((cell) => (
            <li key={cell.id}>
              <button type="button" className="sql-past" aria-pressed={current.some((one) => one.id === cell.id)} onClick={() => onShow(cell.id)} title={cell.source.slice(0, 1000)}>
                <code className="truncate">{headOf(cell.source)}</code>
                <span className="row small"><State cell={cell} />{cell.run?.start !== undefined && <span className="soft"><Time value={cell.run.start} /></span>}</span>
              </button>
              <Button isSmall tone="quiet" icon="edit" aria-label={`Put into the editor: ${headOf(cell.source).slice(0, 40)}`} onClick={() => onReuse(cell.source)} />
            </li>
          ))}
        </ol>
      )}
    </Card>
  );
}

function SaveAs({ user, statements, onClose }: { user: string; statements: string[]; onClose: () => void }) {
  const [path, setPath] = useState(`/Users/${user}/query.sql`);
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const save = () => {
    if (statements.length === 0) { setProblem("There is no statement to save."); return; }
    setBusy(true);
    call("importObject", { body: { path, content: base64(sqlNotebook(statements)), format: "SOURCE", language: "sql" } }).then((made) => {
      onClose();
      toast(`Saved as ${made.path}.`);
    }, (error: unknown) => { setBusy(false); setProblem(error instanceof Error ? error.message : String(error)); });
  };
  return (
    <Dialog title="Save as a notebook" onClose={onClose} foot={<Button tone="primary" isBusy={isBusy} onClick={save}>Save</Button>}>
      <form className="dialog-body" onSubmit={(event) => { event.preventDefault(); save(); }}>
        <Field label="Path" problem={problem} hint={`A notebook of SQL with ${statements.length === 1 ? "one cell" : `${statements.length} cells`}.`}>
          {(id, described) => <input id={id} className="input mono" value={path} aria-describedby={described} aria-invalid={problem !== undefined} spellCheck={false}
            onChange={(event) => { setPath(event.target.value); setProblem(undefined); }} />}
        </Field>
      </form>
    </Dialog>
  );
}
