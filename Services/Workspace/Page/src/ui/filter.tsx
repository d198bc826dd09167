// Which rows of a list are shown: by name and by state, kept in the address.
import { setQueries, setQuery, useAddress } from "../app/router";
import { Button, words } from "./parts";

export interface Filtering { name: string; state: string; isOn: boolean }

/** What the address asks for. */
export function useFiltering(): Filtering {
  const { query } = useAddress();
  const [name, state] = [query.get("name") ?? "", query.get("state") ?? ""];
  return { name, state, isOn: name !== "" || state !== "" };
}

/** Whether a row is asked for: each word somewhere in its name, in any case, and one of the states that it is in. */
export function isAsked({ name, state }: Filtering, its: string, states: string[]): boolean {
  const text = its.toLowerCase();
  return name.toLowerCase().split(/\s+/).every((word) => text.includes(word)) && (state === "" || states.includes(state));
}

export function Filter({ what, states }: { what: string; states: string[] }) {
  const { name, state } = useFiltering();
  // Another one may have been asked for in the address.
  const all = state === "" || states.includes(state) ? states : [...states, state];
  return (
    <div className="filter" role="search" aria-label={`Which ${what}`}>
      <input className="input" aria-label="Name has" placeholder="Name has" value={name} maxLength={200} autoComplete="off" spellCheck={false}
        onChange={(event) => setQuery("name", event.target.value || null)} />
      <select className="input" aria-label="State" value={state} onChange={(event) => setQuery("state", event.target.value || null)}>
        <option value="">Every state</option>
        {all.map((one) => <option key={one} value={one}>{words(one)}</option>)}
      </select>
    </div>
  );
}

/** What to say where nothing is left. */
export function NoneAsked({ what }: { what: string }) {
  return (
    <div className="filter-none row wrap">
      <p className="soft" role="status">None of these {what} is asked for.</p>
      <Button isSmall onClick={() => setQueries({ name: null, state: null })}>Show all</Button>
    </div>
  );
}
