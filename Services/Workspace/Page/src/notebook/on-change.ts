// What happens when somebody chooses another value of a widget: each chooses it for themselves, notebook by notebook.
import { useState } from "react";

export type OnChange = "nothing" | "cells" | "run";

export function useOnChange(user: string, notebookID: number): [OnChange, (next: OnChange) => void] {
  const key = `harbour.on-widget-change/${user}/${notebookID}`;
  const [now, setNow] = useState<OnChange>(() => {
    const kept = localStorage.getItem(key);
    return kept === "run" || kept === "cells" ? kept : "nothing";
  });
  const choose = (next: OnChange) => {
    setNow(next);
    try {
      if (next === "nothing") localStorage.removeItem(key);
      else localStorage.setItem(key, next);
    } catch { /* There is no room to keep it: it holds until the page is left. */ }
  };
  return [now, choose];
}
