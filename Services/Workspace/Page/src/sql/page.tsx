// SQL: write a statement, run it on a cluster, look at its result. What was run is a notebook of one's own, so that it runs on
// the server like every notebook: its results are there after a closed tab, and its history is its cells.
import { useEffect, useState } from "react";
import { ApiError, call } from "../api/client";
import type { NotebookContent } from "../api/generated/contract";
import { useSession } from "../app/session";
import { leaveOff, shownOutputs } from "../notebook/saver";
import type { Found } from "../drafts/shelf";
import { Card, Failure, Heading, Loading } from "../ui/parts";
import { Console } from "./console";
import { type StatementDraft, leftStatements } from "./statement";

/** What the notebook of statements is called, in its user's own folder. */
const notebookName = "SQL editor";

interface Opened { content: NotebookContent; left: Found<StatementDraft>[] }

async function open(user: string, signal: AbortSignal): Promise<Opened> {
  const path = `/Users/${user}/${notebookName}`;
  const find = () => call("getObject", { path }, signal).then((found) => found.object_id);
  const id = await find().catch((error: unknown) => {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    return call("createNotebook", { body: { name: notebookName, language: "sql" } }).then((made) => made.object_id, (failure: unknown) => {
      // Another tab has made it at the same moment.
      if (failure instanceof ApiError && failure.code === "RESOURCE_ALREADY_EXISTS") return find();
      throw failure;
    });
  });
  await leaveOff(id);
  return { content: await call("getNotebook", { notebook_id: id, ...shownOutputs }, signal), left: await leftStatements(user) };
}

export function Sql(_: { id: string }) {
  const { session } = useSession();
  const [opened, setOpened] = useState<Opened>();
  const [error, setError] = useState<ApiError>();
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    const controller = new AbortController();
    setError(undefined);
    open(session.user_name, controller.signal).then(setOpened, (failure: unknown) => {
      if (controller.signal.aborted) return;
      setError(failure instanceof ApiError ? failure : new ApiError("PAGE_ERROR", String(failure), 500));
    });
    return () => controller.abort();
  }, [session.user_name, attempt]);
  if (opened) return <Console content={opened.content} left={opened.left} user={session.user_name} />;
  return (
    <div className="content">
      <Heading title="SQL" />
      {error ? <Failure error={error} retry={() => setAttempt(attempt + 1)} /> : <Card isFlush><Loading lines={6} /></Card>}
    </div>
  );
}
