// Where the keyboard goes when what it was on goes or comes.
import { useEffect, useRef } from "react";
import { subscribe } from "../app/router";

/** Where the keyboard goes when what it was on is gone. */
export function focusContent(): void { document.getElementById("content")?.focus({ preventScroll: true }); }

/** Whether the keyboard is on nothing but the page as a whole. */
export function isKeyboardFree(): boolean {
  const now = document.activeElement;
  return !now || now === document.body || now.id === "content";
}

/** Puts the keyboard on a page that has come, where what it was on is gone, or was the way there: so it is read out, and Tab goes on in it. */
export function useFocusOfPage(path: string): void {
  const shown = useRef(path);
  useEffect(() => {
    if (shown.current === path) return;
    shown.current = path;
    // The page before may be there still, out of sight, until this one has been loaded.
    const now = document.activeElement;
    if (isKeyboardFree() || now?.getClientRects().length === 0 || now?.closest(".rail a")) focusContent();
  }, [path]);
}

const patience = 30_000;

/** Puts the keyboard on the row that leads to an address once it is there; not when its user has gone on meanwhile. */
export function focusRow(address: string): void {
  const from = document.activeElement;
  const attempt = () => {
    const row = [...document.querySelectorAll<HTMLAnchorElement>("#content td.name a")].find((one) => one.getAttribute("href") === address);
    if (!row) return false;
    if (document.activeElement === from || isKeyboardFree()) row.focus();
    return true;
  };
  if (attempt()) return;
  const stop = () => { observer.disconnect(); clearTimeout(timer); forget(); };
  // Who goes to another address has gone on.
  const forget = subscribe(stop);
  const observer = new MutationObserver(() => { if (attempt()) stop(); });
  observer.observe(document.body, { childList: true, subtree: true });
  const timer = setTimeout(stop, patience);
}
