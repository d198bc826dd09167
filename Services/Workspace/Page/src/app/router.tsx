// Addresses of the page: everything that can be looked at has one.
import { AnchorHTMLAttributes, MouseEvent, useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
let guard: (() => boolean) | undefined;

function tell(): void { for (const listener of [...listeners]) listener(); }
addEventListener("popstate", tell);

/** Hears of every change of the address, also of the part after `#`. */
export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => { listeners.delete(listener); };
}

/** Asks before leaving; the function given back takes the question away again. */
export function guardLeaving(mayLeave: () => boolean): () => void {
  guard = mayLeave;
  return () => { if (guard === mayLeave) guard = undefined; };
}

/** Goes to an address of the page. */
export function navigate(address: string, options: { replace?: boolean } = {}): void {
  if (guard && !guard()) return;
  if (options.replace) history.replaceState(null, "", address);
  else {
    history.pushState(null, "", address);
    scrollTo(0, 0);
  }
  tell();
}

/** What goes on to an address when an answer has come, unless its user has gone elsewhere meanwhile. */
export function fromHere(): typeof navigate {
  const from = location.pathname;
  return (address, options) => { if (location.pathname === from) navigate(address, options); };
}

/** The path and query that are shown. */
export function useAddress(): { path: string; query: URLSearchParams } {
  const text = useSyncExternalStore(subscribe, () => location.pathname + location.search);
  const [path, query] = text.split("?");
  return { path: path ?? "/", query: new URLSearchParams(query ?? "") };
}

/** Changes one part of the query in place. */
export function setQuery(name: string, value: string | null): void { setQueries({ [name]: value }); }

/** Changes several parts of the query in place, as one; null takes one away. */
export function setQueries(values: Record<string, string | null>): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(values)) {
    if (value === null) query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  navigate(text ? `${location.pathname}?${text}` : location.pathname, { replace: true });
}

/** A link inside the page; with a modifier key it is the browser's own. */
export function Link({ to, onClick, ...rest }: { to: string } & AnchorHTMLAttributes<HTMLAnchorElement>) {
  const click = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
  };
  return <a {...rest} href={to} onClick={click} />;
}

/** The address of something in the workspace's tree. */
export function treeAddress(path: string): string {
  return "/workspace" + path.split("/").map(encodeURIComponent).join("/").replace(/\/$/, "");
}

/** The path in the tree that an address of the tree means. */
export function treePath(address: string): string {
  const rest = address.slice("/workspace".length);
  try {
    return rest.split("/").map(decodeURIComponent).join("/") || "/";
  } catch {
    return "/";
  }
}
