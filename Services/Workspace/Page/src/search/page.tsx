// The search as a page with an address, for more results than the dialog shows and to be sent to somebody.
import { useEffect, useState } from "react";
import type { ObjectType } from "../api/generated/contract";
import { setQuery, useAddress } from "../app/router";
import { Button, Card, Heading } from "../ui/parts";
import { SearchBox } from "./box";

const kinds: Array<{ kind: ObjectType | undefined; text: string }> = [
  { kind: undefined, text: "Everything" }, { kind: "NOTEBOOK", text: "Notebooks" }, { kind: "FILE", text: "Files" }, { kind: "DIRECTORY", text: "Folders" },
];

export function SearchPage(_: { id: string }) {
  const { query } = useAddress();
  const asked = query.get("q") ?? "";
  const kind = kinds.find((one) => one.kind === query.get("kind"))?.kind;
  const [text, setText] = useState(asked);
  // Another address of this page, as by the browser's Back.
  useEffect(() => setText(asked), [asked]);
  const write = (value: string) => { setText(value); setQuery("q", value || null); };
  return (
    <div className="content">
      <Heading title="Search" />
      <Card isFlush>
        <SearchBox text={text} onText={write} kind={kind} count={30} onEscape={() => write("")}
          filter={
            <div className="search-kinds" role="group" aria-label="Kinds of entries">
              {kinds.map((one) => (
                <button key={one.text} type="button" className="chip" aria-pressed={one.kind === kind} onClick={() => setQuery("kind", one.kind ?? null)}>{one.text}</button>
              ))}
            </div>
          }
          more={(search) => <div className="search-note"><Button isBusy={search.isBusy} onClick={search.more}>Show more</Button></div>} />
      </Card>
    </div>
  );
}
