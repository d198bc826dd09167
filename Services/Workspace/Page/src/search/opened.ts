// Whether the search is open over the page, and the keys that open it.
const listeners = new Set<() => void>();

function set(isOpen: boolean, hasChosen: boolean): void {
  opened.isOpen = isOpen;
  opened.hasChosen = hasChosen;
  for (const listener of [...listeners]) listener();
}

export const opened = {
  isOpen: false,
  /** It was closed by going somewhere. */
  hasChosen: false,
  subscribe: (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => { listeners.delete(listener); };
  },
  open: (): void => set(true, false),
  close: (): void => set(false, false),
  choose: (): void => set(false, true),
};

const isMac = /Mac|iPhone|iPad/.test(navigator.platform);
/** What the keys are called where this runs. */
export const searchKeys = isMac ? "⌘K" : "Ctrl K";

/** Listens for them; the function given back ends that. */
export function listenForKeys(): () => void {
  const press = (event: KeyboardEvent) => {
    // On a Mac Ctrl-K is the editor's own.
    if (!(isMac ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey)) return;
    if (event.key.toLowerCase() !== "k" || event.altKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (opened.isOpen) opened.close();
    // A dialog that asks something is answered first.
    else if (!document.querySelector("dialog[open]")) opened.open();
  };
  document.addEventListener("keydown", press, true);
  return () => document.removeEventListener("keydown", press, true);
}
