// One operation: what it takes, what it answers, and a way to try it.
import { useEffect, useMemo, useRef, useState } from "react";
import { copyText } from "../ui/copy";
import { Button, Card, Field, Note, TabPanel, Tabs } from "../ui/parts";
import { bytes, duration } from "../ui/time";
import { Answer, addressOf, attempt, curlOf, missingOf } from "./attempt";
import { Operation, Parameter, Schema, kindOf, limitsOf, resolved } from "./document";
import { exampleOf } from "./example";
import { Method } from "./method";
import { SchemaView } from "./schema";

type Schemas = Record<string, Schema>;

export function OperationView({ operation, schemas }: { operation: Operation; schemas: Schemas }) {
  return (
    <>
      <div className="docs-address"><Method name={operation.method} /><code>{operation.path}</code>
        <Button isSmall tone="quiet" icon="copy" aria-label="Copy the link to this operation" onClick={() => copyText(location.href.replace(/\?.*/, ""), "The link is copied.")} /></div>
      {operation.description && <p>{operation.description}</p>}
      <p className="soft small">
        <code>{operation.id}</code>
        {operation.isIdempotent ? " · may be sent again without doing more" : " · does it again when it is sent again"}
        {operation.isStream && " · answers with a line of JSON for each thing that happens"}
        {operation.maxBodyBytes && ` · takes up to ${bytes(operation.maxBodyBytes)}`}
      </p>
      <Try operation={operation} schemas={schemas} />
      {operation.body && (
        <Card title="What it takes"><p className="small soft"><code>{operation.body.type}</code> {kindOf(operation.body.schema)}</p>
          <SchemaView schema={operation.body.schema} schemas={schemas} /></Card>
      )}
      <Card title="What it answers">
        <div className="stack">
          {operation.answers.map((one) => (
            <details key={one.status} open={one.status !== "default"}>
              <summary><strong>{one.status === "default" ? "Otherwise" : one.status}</strong> <span className="soft">{one.description}</span>{" "}
                {one.schema && <code className="soft">{kindOf(one.schema)}</code>}</summary>
              {one.schema && <SchemaView schema={one.schema} schemas={schemas} />}
            </details>
          ))}
        </div>
      </Card>
    </>
  );
}

function Try({ operation, schemas }: { operation: Operation; schemas: Schemas }) {
  const example = useMemo(() => (isWhole: boolean) =>
    operation.body ? JSON.stringify(exampleOf(operation.body.schema, schemas, isWhole), null, 2) : "", [operation, schemas]);
  const [values, setValues] = useState<Record<string, string>>({});
  const [body, setBody] = useState(() => example(false));
  const [answer, setAnswer] = useState<Answer>();
  const [problem, setProblem] = useState<string>();
  const running = useRef<AbortController>();
  const [isBusy, setBusy] = useState(false);
  useEffect(() => () => running.current?.abort(), []);
  const missing = missingOf(operation, values);
  const sent = operation.body && body.trim() ? body : undefined;
  const wrong = sent === undefined ? undefined : problemOf(sent);

  const send = () => {
    if (missing.length > 0) { setProblem(`Fill in ${missing.join(", ")} first.`); return; }
    const controller = new AbortController();
    running.current?.abort();
    running.current = controller;
    setBusy(true);
    setProblem(undefined);
    setAnswer(undefined);
    attempt(operation, values, sent, controller.signal, (one) => { if (running.current === controller) setAnswer(one); })
      .catch((error: unknown) => { if (!controller.signal.aborted) setProblem(error instanceof Error ? error.message : String(error)); })
      .finally(() => { if (running.current === controller) setBusy(false); });
  };
  const stop = () => running.current?.abort();

  return (
    <Card title="Try it" actions={<>
      <Button isSmall tone="quiet" icon="copy" onClick={() => copyText(curlOf(operation, values, sent), "Copied; it takes the token from HARBOUR_TOKEN.")}>curl</Button>
      {isBusy ? <Button isSmall icon="stop" onClick={stop}>Stop</Button>
        : <Button isSmall icon="play" tone={operation.method === "DELETE" ? "danger" : "primary"} onClick={send}>Send</Button>}
    </>}>
      <form className="stack" noValidate onSubmit={(event) => { event.preventDefault(); send(); }}>
        {operation.parameters.length > 0 && (
          <div className="docs-parameters">
            {operation.parameters.filter((one) => one.in !== "header").map((one) => (
              <ParameterField key={one.name} parameter={one} schema={resolved(one.schema, schemas)} value={values[one.name] ?? ""}
                isMissing={problem !== undefined && missing.includes(one.name)}
                onChange={(value) => { setValues({ ...values, [one.name]: value }); setProblem(undefined); }} />
            ))}
          </div>
        )}
        {operation.body && (
          <Field label="Body" problem={wrong} hint={<>An example made from the schema. Start from{" "}
            <button type="button" className="link" onClick={() => setBody(example(false))}>what has to be there</button> or{" "}
            <button type="button" className="link" onClick={() => setBody(example(true))}>everything</button>.</>}>
            {(id, described) => (
              <textarea id={id} className="input mono docs-body" value={body} spellCheck={false} aria-describedby={described} aria-invalid={wrong !== undefined}
                rows={Math.min(18, body.split("\n").length + 1)} onChange={(event) => setBody(event.target.value)}
                onKeyDown={(event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send(); }} />
            )}
          </Field>
        )}
        {operation.parameters.length === 0 && !operation.body && <p className="soft small">It takes nothing but your session. It is sent as you, and does what it says.</p>}
        {/* Return in a field sends the form only where it has a button for that. */}
        <button type="submit" className="visually-hidden" tabIndex={-1} aria-hidden="true" disabled={isBusy} />
      </form>
      {problem && <Note tone="bad">{problem}</Note>}
      {isBusy && !answer && <p className="row soft" role="status"><span className="spinner" />Waiting for the answer</p>}
      {answer && <AnswerView answer={answer} address={`${operation.method} ${addressOf(operation, values)}`} />}
    </Card>
  );
}

function problemOf(body: string): string | undefined {
  try { JSON.parse(body); return undefined; } catch (error) { return `This is no JSON: ${error instanceof Error ? error.message : ""}`; }
}

function ParameterField({ parameter, schema, value, isMissing, onChange }: {
  parameter: Parameter; schema: Schema; value: string; isMissing: boolean; onChange: (value: string) => void;
}) {
  const limits = [kindOf(schema.enum || parameter.schema.$ref ? { type: "string" } : parameter.schema), limitsOf(schema)].filter(Boolean).join(", ");
  return (
    <Field label={`${parameter.name}${parameter.required ? " (required)" : ""}`} problem={isMissing ? "It has to be filled in." : undefined}
      hint={<>{parameter.description && <>{parameter.description}. </>}<span className="soft">In the {parameter.in}; {limits}</span></>}>
      {(id, described) => schema.enum || schema.type === "boolean" ? (
        <select id={id} className="input" value={value} aria-describedby={described} onChange={(event) => onChange(event.target.value)}>
          <option value="" />{(schema.enum ?? ["true", "false"]).map((one) => <option key={one}>{one}</option>)}
        </select>
      ) : (
        <input id={id} className="input mono" value={value} aria-describedby={described} aria-invalid={isMissing} spellCheck={false} autoComplete="off"
          inputMode={schema.type === "integer" ? "numeric" : undefined} onChange={(event) => onChange(event.target.value)} />
      )}
    </Field>
  );
}

function AnswerView({ answer, address }: { answer: Answer; address: string }) {
  const [tab, setTab] = useState<"body" | "headers">("body");
  const tone = answer.status < 300 ? "good" : answer.status < 500 ? "warn" : "bad";
  return (
    <section className="docs-answer" aria-label="Answer">
      <div className="row wrap" role="status">
        <span className={`badge ${tone}`}>{answer.status}{answer.statusText && ` ${answer.statusText}`}</span>
        <span className="soft small">{answer.isEnded ? `${duration(answer.milliseconds)}, ${bytes(answer.bytes)}` : "goes on"}</span>
        <code className="small soft docs-sent">{address}</code>
      </div>
      <Tabs label="Parts of the answer" current={tab} onChange={setTab} tabs={[{ id: "body", text: "Body" }, { id: "headers", text: `Headers (${answer.headers.length})` }]} />
      <TabPanel id={tab}>{tab === "headers" ? (
        <dl className="facts docs-headers">{answer.headers.map(([name, value]) => [<dt key={`${name}-name`}><code>{name}</code></dt>, <dd key={name}><code>{value}</code></dd>])}</dl>
      ) : (
        <pre className="log docs-text" tabIndex={0} aria-label="Body of the answer">{answer.text || "The answer has no body."}{answer.isCut && "\n… the rest is not shown"}</pre>
      )}</TabPanel>
    </section>
  );
}
