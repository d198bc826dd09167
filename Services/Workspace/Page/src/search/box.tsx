// The field and what was found, in the dialog and on the page alike: a combobox with a list (WAI-ARIA).
import { KeyboardEvent, MouseEvent, ReactNode, useEffect, useId, useMemo, useRef, useState } from "react";
import type { ObjectType } from "../api/generated/contract";
import { navigate } from "../app/router";
import { Icon } from "../ui/icons";
import { Button, Empty, Failure, Note } from "../ui/parts";
import { Hit, ThingHit, addressOfHit } from "./hit";
import { matchOf } from "./things";
import { Search, useSearch, wanted } from "./use-search";
import { useThings } from "./use-things";

type Place = "NAME" | "THING" | "CONTENT";

/** One line of the list. */
interface Found { key: string; place: Place; address: string; node: ReactNode }

const titles: Record<Place, string> = { NAME: "Names", THING: "Jobs, clusters and runs", CONTENT: "In cells and files" };

/** All that was found, in the order of the list; a job or a cluster that is named so comes before entries that only have the words. */
function useFound(text: string, kind: ObjectType | undefined, count: number) {
  const search = useSearch(text, kind, count);
  // What is shown together is of one question; where the workspace cannot be asked, the rest can.
  const of = kind === undefined ? search.error ? wanted(text) : search.of : undefined;
  const { things, isBusy, error } = useThings(of);
  const found = useMemo(() => {
    const hits = search.results.map((hit): Found => ({
      key: `${hit.place}${hit.object_id}`, place: hit.place === "NAME" ? "NAME" : "CONTENT", address: addressOfHit(hit), node: <Hit hit={hit} />,
    }));
    const others = things.map((thing): Found => ({ key: thing.address, place: "THING", address: thing.address, node: <ThingHit thing={thing} /> }));
    const named = search.results.find((hit) => hit.place === "NAME");
    const rank = named && of ? matchOf(named.path.slice(named.path.lastIndexOf("/") + 1), of)?.rank ?? 3 : Infinity;
    const isBetter = things.some((thing) => thing.rank < rank);
    const names = hits.filter((one) => one.place === "NAME");
    return [...isBetter ? [...others, ...names] : [...names, ...others], ...hits.filter((one) => one.place === "CONTENT")];
  }, [search.results, things, of]);
  return { search: { ...search, isBusy: search.isBusy || isBusy }, found, otherError: error };
}

interface BoxProps {
  text: string;
  onText: (text: string) => void;
  kind?: ObjectType;
  /** How many are asked for at a time. */
  count: number;
  /** Something was chosen, and is being gone to. */
  onChoose?: () => void;
  onEscape?: () => void;
  /** What follows when there are more results than are shown. */
  more: (search: Search) => ReactNode;
  filter?: ReactNode;
}

export function SearchBox({ text, onText, kind, count, onChoose, onEscape, more, filter }: BoxProps) {
  const { search, found, otherError } = useFound(text, kind, count);
  // Jobs and clusters may come later, and before it: what was chosen is what it is, and not the place where it was.
  const [chosen, setChosen] = useState<string>();
  const active = Math.max(0, found.findIndex((one) => one.key === chosen));
  const choose = (index: number) => setChosen(found[index]?.key);
  const field = useRef<HTMLInputElement>(null);
  const id = useId();
  useEffect(() => { field.current?.focus(); field.current?.select(); }, []);
  useEffect(() => setChosen(undefined), [text, search.of, kind]);
  useEffect(() => {
    if (found.length > 0) document.getElementById(`${id}-${active}`)?.scrollIntoView({ block: "nearest" });
  }, [id, active, found]);

  const open = (one: Found) => {
    onChoose?.();
    // The keyboard goes along: a notebook takes it to the cell.
    document.getElementById("content")?.focus({ preventScroll: true });
    navigate(one.address);
  };
  // Enter is meant also when the answer is still on its way.
  const isAwaited = useRef(false);
  useEffect(() => { isAwaited.current = false; }, [text, kind]);
  useEffect(() => {
    if (!isAwaited.current || search.isBusy) return;
    isAwaited.current = false;
    // After a failure there is still what was found before, which nobody has asked for.
    if (search.error) return;
    const one = found[active] ?? found[0];
    if (one) open(one);
  }, [found, search.isBusy]);
  const click = (event: MouseEvent, one: Found) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    open(one);
  };
  const keyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    const one = found[active];
    if (event.key === "ArrowDown" && one) choose((active + 1) % found.length);
    else if (event.key === "ArrowUp" && one) choose((active + found.length - 1) % found.length);
    else if (event.key === "Enter" && search.isBusy && active === 0) isAwaited.current = true;
    else if (event.key === "Enter" && one) open(one);
    else if (event.key === "Escape" && onEscape) onEscape();
    else return;
    event.preventDefault();
  };
  const isOpen = found.length > 0;
  const group = (place: Place) => (
    <div key={place} role="group" aria-labelledby={`${id}-${place}`}>
      <div id={`${id}-${place}`} className="hits-title" role="presentation">{titles[place]}</div>
      {found.map((one, index) => one.place === place && (
        <a key={one.key} id={`${id}-${index}`} role="option" aria-selected={index === active} tabIndex={-1}
          className="hit" href={one.address} onClick={(event) => click(event, one)} onMouseMove={() => choose(index)}>{one.node}</a>
      ))}
    </div>
  );
  return (
    <div className="search">
      <div className="search-field">
        {search.isBusy ? <span className="spinner" /> : <Icon name="search" size={18} />}
        <input ref={field} type="text" role="combobox" aria-label="Search the workspace" aria-autocomplete="list" aria-expanded={isOpen}
          aria-controls={isOpen ? `${id}-list` : undefined} aria-activedescendant={isOpen ? `${id}-${active}` : undefined}
          placeholder="Search names, cells, files, jobs and clusters" maxLength={256} autoComplete="off" spellCheck={false} enterKeyHint="go"
          value={text} onChange={(event) => onText(event.target.value)} onKeyDown={keyDown} />
        {text && <Button isSmall tone="quiet" icon="close" aria-label="Clear" onClick={() => { onText(""); field.current?.focus(); }} />}
      </div>
      {filter}
      <div className="visually-hidden" role="status">{spoken(search, found.length)}</div>
      {search.error && <div className="search-note"><Failure error={search.error} retry={search.retry} /></div>}
      {isOpen && (
        <div id={`${id}-list`} role="listbox" aria-label="Results" className={search.isBusy ? "hits old" : "hits"}>
          {[...new Set(found.map((one) => one.place))].map(group)}
        </div>
      )}
      {!isOpen && !search.error && <Nothing search={search} kind={kind} />}
      {isOpen && search.hasMore && more(search)}
      {otherError && <div className="search-note"><Note tone="warn">Jobs, clusters and runs may be missing: {otherError.message}</Note></div>}
      {search.isReading && <div className="search-note"><Note tone="warn">Some entries are still being read for the search. Later it may find more.</Note></div>}
    </div>
  );
}

/** What whoever does not see the list hears. */
function spoken(search: Search, count: number): string {
  if (search.isBusy || search.of === undefined) return "";
  if (count === 0) return "Nothing was found";
  return `${count}${search.hasMore ? " and more" : ""} ${count === 1 ? "result" : "results"}`;
}

function Nothing({ search, kind }: { search: Search; kind?: ObjectType }) {
  if (search.of === undefined) {
    return (
      <Empty icon="search" title={search.isBusy ? "Searching" : "What are you looking for?"}>
        A part of a name, or of what is in a cell or a small text file; a job or a cluster, or the number of a run. Of several words, all have to be there.
      </Empty>
    );
  }
  return (
    <Empty icon="search" title={`Nothing has “${search.of}”`}>
      {kind ? "Try all kinds of entries, or fewer words." : "Try fewer or shorter words."} Names, the sources of cells and small text files are searched, of
      all that you may view, and the names of jobs and clusters; outputs and the trash are not.
    </Empty>
  );
}
