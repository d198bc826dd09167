// What is being written in the console: kept in this browser for its user, by each tab for itself.
import { useEffect, useMemo, useRef, useState } from "react";
import type { Found } from "../drafts/shelf";
import { Keeper, leftDrafts, shelf } from "../drafts/unsaved";

export interface StatementDraft { text: string }

interface Statement {
  text: string;
  setText: (text: string) => void;
  /** The editor tells of the last letters when it is left by the press of a button, before anything is drawn anew. */
  latest: { readonly current: string };
  /** What another tab had, that is not open any more. */
  other: Found<StatementDraft> | undefined;
  /** Shows that, and keeps what is here instead. */
  onSwap: () => void;
}

const placeOf = (user: string) => ({ user, kind: "sql" as const, id: "editor" });

/** What tabs left that are not open any more, the newest first; of those with the same text one. */
export async function leftStatements(user: string): Promise<Found<StatementDraft>[]> {
  const found = (await leftDrafts<StatementDraft>(placeOf(user))).reverse();
  return found.filter((one, index) => {
    if (found.findIndex((other) => other.content.text === one.content.text) === index) return true;
    shelf.drop(one.key);
    return false;
  });
}

/** @param left what tabs left; the newest is shown. */
export function useStatement(user: string, left: Found<StatementDraft>[], first: string): Statement {
  const [text, setText] = useState(left[0]?.content.text ?? first);
  const latest = useRef(text);
  const [others, setOthers] = useState(left.slice(1));
  const keeper = useMemo(() => new Keeper<StatementDraft>(placeOf(user), () =>
    latest.current === first || latest.current === "" ? undefined : { path: "/sql", content: { text: latest.current } }), [user, first]);
  useEffect(() => {
    const keep = () => keeper.now();
    const hide = () => { if (document.hidden) keep(); };
    keeper.open();
    keeper.adopt(left[0] ? [left[0].key] : []);
    addEventListener("pagehide", keep);
    document.addEventListener("visibilitychange", hide);
    return () => {
      document.removeEventListener("visibilitychange", hide);
      removeEventListener("pagehide", keep);
      keep();
      keeper.close();
    };
  }, [keeper, left]);
  const write = (next: string) => { latest.current = next; setText(next); keeper.soon(); };
  const onSwap = () => {
    const [other, ...rest] = others;
    if (!other) return;
    const mine = { ...other, time: Date.now(), content: { text: latest.current } };
    shelf.put(other.key, { time: mine.time, path: mine.path, content: mine.content });
    setOthers([...rest, mine]);
    write(other.content.text);
  };
  return { text, setText: write, latest, other: others[0], onSwap };
}
