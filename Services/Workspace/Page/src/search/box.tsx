// The field and what was found, in the dialog and on the page alike: a combobox with a list (WAI-ARIA).
import { KeyboardEvent, MouseEvent, ReactNode, useEffect, useId, useRef, useState } from "react";
import type { ObjectType, SearchResult } from "../api/generated/contract";
import { navigate } from "../app/router";
import { Icon } from "../ui/icons";
import { Button, Empty, Failure, Note } from "../ui/parts";
import { Hit, addressOfHit } from "./hit";
import { Search, useSearch } from "./use-search";

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
  const search = useSearch(text, kind, count);
  const [active, setActive] = useState(0);
  const field = useRef<HTMLInputElement>(null);
  const id = useId();
  const { results } = search;
  useEffect(() => { field.current?.focus(); field.current?.select(); }, []);
  useEffect(() => setActive(0), [search.of, kind]);
  useEffect(() => {
    if (results.length > 0) document.getElementById(`${id}-${active}`)?.scrollIntoView({ block: "nearest" });
  }, [id, active, results]);

  const open = (hit: SearchResult) => {
    onChoose?.();
    // The keyboard goes along: a notebook takes it to the cell.
    document.getElementById("content")?.focus({ preventScroll: true });
    navigate(addressOfHit(hit));
  };
  // Enter is meant also when the answer is still on its way.
  const isAwaited = useRef(false);
  useEffect(() => { isAwaited.current = false; }, [text, kind]);
  useEffect(() => {
    if (!isAwaited.current || search.isBusy) return;
    isAwaited.current = false;
    if (results[0]) open(results[0]);
  }, [results, search.isBusy]);
  const click = (event: MouseEvent, hit: SearchResult) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    open(hit);
  };
  const keyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    const hit = results[active];
    if (event.key === "ArrowDown" && hit) setActive((active + 1) % results.length);
    else if (event.key === "ArrowUp" && hit) setActive((active + results.length - 1) % results.length);
    else if (event.key === "Enter" && search.isBusy) isAwaited.current = true;
    else if (event.key === "Enter" && hit) open(hit);
    else if (event.key === "Escape" && onEscape) onEscape();
    else return;
    event.preventDefault();
  };
  const isOpen = results.length > 0;
  const option = (hit: SearchResult, index: number) => (
    <a key={`${hit.place}${hit.object_id}`} id={`${id}-${index}`} role="option" aria-selected={index === active} tabIndex={-1}
      className="hit" href={addressOfHit(hit)} onClick={(event) => click(event, hit)} onMouseMove={() => setActive(index)}><Hit hit={hit} /></a>
  );
  const group = (place: SearchResult["place"], title: string) => {
    if (!results.some((hit) => hit.place === place)) return null;
    return (
      <div role="group" aria-labelledby={`${id}-${place}`}>
        <div id={`${id}-${place}`} className="hits-title" role="presentation">{title}</div>
        {results.map((hit, index) => hit.place === place ? option(hit, index) : null)}
      </div>
    );
  };
  return (
    <div className="search">
      <div className="search-field">
        {search.isBusy ? <span className="spinner" /> : <Icon name="search" size={18} />}
        <input ref={field} type="text" role="combobox" aria-label="Search the workspace" aria-autocomplete="list" aria-expanded={isOpen}
          aria-controls={isOpen ? `${id}-list` : undefined} aria-activedescendant={isOpen ? `${id}-${active}` : undefined}
          placeholder="Search names, cells and files" maxLength={256} autoComplete="off" spellCheck={false} enterKeyHint="go"
          value={text} onChange={(event) => onText(event.target.value)} onKeyDown={keyDown} />
        {text && <Button isSmall tone="quiet" icon="close" aria-label="Clear" onClick={() => { onText(""); field.current?.focus(); }} />}
      </div>
      {filter}
      <div className="visually-hidden" role="status">{spoken(search)}</div>
      {search.error && <div className="search-note"><Failure error={search.error} retry={search.retry} /></div>}
      {isOpen && (
        <div id={`${id}-list`} role="listbox" aria-label="Results" className={search.isBusy ? "hits old" : "hits"}>
          {group("NAME", "Names")}
          {group("CONTENT", "In cells and files")}
        </div>
      )}
      {!isOpen && !search.error && <Nothing search={search} kind={kind} />}
      {isOpen && search.hasMore && more(search)}
      {search.isReading && <div className="search-note"><Note tone="warn">Some entries are still being read for the search. Later it may find more.</Note></div>}
    </div>
  );
}

/** What whoever does not see the list hears. */
function spoken(search: Search): string {
  if (search.isBusy || search.of === undefined) return "";
  const count = search.results.length;
  if (count === 0) return "Nothing was found";
  return `${count}${search.hasMore ? " and more" : ""} ${count === 1 ? "result" : "results"}`;
}

function Nothing({ search, kind }: { search: Search; kind?: ObjectType }) {
  if (search.of === undefined) {
    return (
      <Empty icon="search" title={search.isBusy ? "Searching" : "What are you looking for?"}>
        A part of a name, or of what is in a cell or a small text file. Of several words, all have to be there.
      </Empty>
    );
  }
  return (
    <Empty icon="search" title={`Nothing has “${search.of}”`}>
      {kind ? "Try all kinds of entries, or fewer words." : "Try fewer or shorter words."} Names, the sources of cells and small text files are searched, of
      all that you may view; outputs and the trash are not.
    </Empty>
  );
}
