// Where the keyboard goes when what it was on goes or comes.
import { subscribe } from "../app/router";

/** Where the keyboard goes when what it was on is gone. */
export function focusContent(): void { document.getElementById("content")?.focus({ preventScroll: true }); }

const patience = 30_000;

/** Puts the keyboard on the row that leads to an address once it is there; not when its user has gone on meanwhile. */
export function focusRow(address: string): void {
  const from = document.activeElement;
  const attempt = () => {
    const row = [...document.querySelectorAll<HTMLAnchorElement>("#content td.name a")].find((one) => one.getAttribute("href") === address);
    if (!row) return false;
    const now = document.activeElement;
    if (now === from || now === document.body || now?.id === "content") row.focus();
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
