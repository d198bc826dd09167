// The API of this platform, to be read and to be tried, made from the document that the platform itself serves.
import { useEffect, useMemo, useRef } from "react";
import { ApiError } from "../api/client";
import { useQuery } from "../api/query";
import { Link, setQuery, useAddress } from "../app/router";
import { Card, Empty, Failure, Heading, Loading } from "../ui/parts";
import { OpenAPI, Operation, matches, operationsOf } from "./document";
import { Method } from "./method";
import { OperationView } from "./operation";

async function read(signal: AbortSignal): Promise<OpenAPI> {
  const response = await fetch("/openapi.json", { signal, cache: "no-cache" });
  if (!response.ok) throw new ApiError("UNKNOWN", `The description of the API cannot be read: the server answered ${response.status}.`, response.status);
  return await response.json() as OpenAPI;
}

export function Docs({ id }: { id: string }) {
  const document = useQuery("docs", read);
  const operations = useMemo(() => (document.data ? operationsOf(document.data) : []), [document.data]);
  const { query } = useAddress();
  const text = query.get("q") ?? "";
  const shown = operations.filter((one) => !text.trim() || matches(one, text.trim()));
  const current = operations.find((one) => one.id === id);
  return (
    <div className="content">
      <Heading title={current ? current.summary : "API"} crumbs={id ? [{ text: "API", to: text ? `/docs?q=${encodeURIComponent(text)}` : "/docs" }] : undefined}
        actions={<a className="button" href="/openapi.json" target="_blank" rel="noreferrer">OpenAPI document</a>}>
        {!id && <>Every call that this page makes, and all others. With a token they work from anywhere: see <Link to="/settings?tab=tokens">your tokens</Link>.</>}
      </Heading>
      {document.error && !document.data && <Failure error={document.error} retry={document.refresh} />}
      {!document.data ? document.isLoading && <Card isFlush><Loading lines={8} /></Card> : (
        <div className={`docs ${id ? "one" : "all"}`}>
          <Contents operations={shown} text={text} current={id} tags={document.data.tags} />
          <div className="docs-shown">
            {current ? <OperationView key={current.id} operation={current} schemas={document.data.components.schemas} />
              : id ? <Empty icon="search" title="There is no such operation">{id} is not in the API. It may have had this name in another version.</Empty>
              : <Overview operations={shown} tags={document.data.tags} text={text} />}
          </div>
        </div>
      )}
    </div>
  );
}

type Tags = OpenAPI["tags"];

function groupsOf(operations: Operation[], tags: Tags): Array<{ name: string; description?: string; operations: Operation[] }> {
  const groups = new Map<string, Operation[]>();
  for (const tag of tags ?? []) groups.set(tag.name, []);
  for (const one of operations) groups.set(one.tag, [...(groups.get(one.tag) ?? []), one]);
  const described = new Map((tags ?? []).map((tag) => [tag.name, tag.description]));
  return [...groups].filter(([, all]) => all.length > 0).map(([name, all]) => ({ name, description: described.get(name), operations: all }));
}

function address(one: Operation, text: string): string { return `/docs/${one.id}${text ? `?q=${encodeURIComponent(text)}` : ""}`; }

function Contents({ operations, text, current, tags }: { operations: Operation[]; text: string; current: string; tags: Tags }) {
  const list = useRef<HTMLElement>(null);
  // Only the list is scrolled, and not the page with it.
  useEffect(() => {
    const place = list.current;
    const one = place?.querySelector<HTMLElement>("[aria-current]");
    if (place && one) place.scrollTop = one.offsetTop - place.clientHeight / 2;
  }, [current]);
  return (
    <div className="docs-contents">
      <input className="input" type="search" placeholder="Search" aria-label="Search the operations" value={text} autoComplete="off" spellCheck={false}
        onChange={(event) => setQuery("q", event.target.value || null)} />
      <nav ref={list} aria-label="Operations" className="docs-list" tabIndex={0}>
        {groupsOf(operations, tags).map((group) => (
          <div key={group.name}>
            <h2>{group.name}</h2>
            <ul>
              {group.operations.map((one) => (
                <li key={one.id}>
                  <Link to={address(one, text)} aria-current={one.id === current ? "page" : undefined} title={`${one.method} ${one.path}`}>
                    <Method name={one.method} /><span className="truncate">{one.summary}</span>
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        ))}
        <p className="visually-hidden" role="status">{operations.length} operations</p>
      </nav>
    </div>
  );
}

function Overview({ operations, tags, text }: { operations: Operation[]; tags: Tags; text: string }) {
  if (operations.length === 0) return <Empty icon="search" title="Nothing was found">No operation has “{text}” in its name, address or sentence.</Empty>;
  return (
    <div className="stack">
      {groupsOf(operations, tags).map((group) => (
        <Card key={group.name} title={<span className="docs-tag">{group.name}</span>} isFlush>
          {group.description && <p className="soft docs-about">{group.description}</p>}
          <ul className="docs-rows">
            {group.operations.map((one) => (
              <li key={one.id}>
                <Link to={address(one, text)}><Method name={one.method} /><code>{one.path}</code><span className="soft">{one.summary}</span></Link>
              </li>
            ))}
          </ul>
        </Card>
      ))}
    </div>
  );
}
