// Who else looks at the notebook, and at which cell.
import type { LivePresence } from "../api/generated/contract";
import { live } from "../api/live";

const shown = 5;

/** The same colour for a name everywhere. */
export function colourOf(name: string): number {
  let sum = 0;
  for (const one of name) sum = (sum * 31 + (one.codePointAt(0) ?? 0)) % 997;
  return sum % 6;
}

/** Everybody but this tab. */
export function othersOf(people: LivePresence[]): LivePresence[] {
  return people.filter((one) => one.client_id !== live.clientID);
}

export function People({ people, others, onGo }: { people: LivePresence[]; others: number; onGo: (cell: string) => void }) {
  const here = othersOf(people);
  if (here.length === 0) return null;
  const more = here.length - shown + others;
  return (
    <ul className="people" aria-label="Who is here">
      {here.slice(0, shown).map((one) => (
        <li key={one.client_id}>
          <button type="button" className={`person colour-${colourOf(one.user_name)}`} disabled={!one.cell_id}
            onClick={() => { if (one.cell_id) onGo(one.cell_id); }}
            aria-label={`${one.user_name} ${one.is_editing ? "is writing here" : "is here"}`}
            title={`${one.user_name}${one.is_editing ? ", writing" : ""}`}>{one.user_name.slice(0, 1).toUpperCase()}</button>
        </li>
      ))}
      {more > 0 && <li className="soft small">+{more}</li>}
    </ul>
  );
}

/** Who is at a cell. */
export function AtCell({ people, cell }: { people: LivePresence[]; cell: string }) {
  const here = othersOf(people).filter((one) => one.cell_id === cell);
  if (here.length === 0) return null;
  return (
    <div className="cell-people">{here.slice(0, 3).map((one) => (
      <span key={one.client_id} className={`person-tag colour-${colourOf(one.user_name)}`}>{one.user_name}{one.is_editing ? " writes" : ""}</span>
    ))}</div>
  );
}
