// The search that opens over every page, by its button or by Ctrl-K.
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { Link } from "../app/router";
import { SearchBox } from "./box";
import { opened } from "./opened";

export function SearchDialog() {
  const [text, setText] = useState("");
  const element = useRef<HTMLDialogElement>(null);
  const isOpen = useSyncExternalStore(opened.subscribe, () => opened.isOpen);
  useEffect(() => {
    const dialog = element.current;
    if (!isOpen || !dialog) return undefined;
    const before = document.activeElement;
    // Of an editor another may have taken the place meanwhile.
    const around = before?.closest<HTMLElement>(".cell, .sql-editor, .file-editor");
    if (!dialog.open) dialog.showModal();
    dialog.querySelector("input")?.focus();
    return () => {
      dialog.close();
      // Whoever chose something has the keyboard there already.
      if (opened.hasChosen) return;
      const back = before instanceof HTMLElement && before.isConnected ? before : around?.querySelector<HTMLElement>(".editor textarea") ?? around;
      back?.focus({ preventScroll: true });
    };
  }, [isOpen]);
  if (!isOpen) return null;
  return (
    <dialog ref={element} className="search-dialog" aria-label="Search" onCancel={(event) => { event.preventDefault(); opened.close(); }}
      onClick={(event) => { if (event.target === element.current) opened.close(); }}>
      <SearchBox text={text} onText={setText} count={12} onChoose={opened.choose} onEscape={() => opened.close()}
        more={(search) => <Link className="search-more" to={`/search?q=${encodeURIComponent(search.of ?? "")}`} onClick={opened.choose}>All results</Link>} />
      <div className="search-keys soft small"><span><kbd>↑</kbd> <kbd>↓</kbd> choose</span><span><kbd>Enter</kbd> open</span><span><kbd>Esc</kbd> close</span></div>
    </dialog>
  );
}
