// Light or dark: as the system has it, unless somebody chose.
import { useSyncExternalStore } from "react";

type Theme = "light" | "dark";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();
const key = "harbour.theme";

function current(): Theme {
  const chosen = localStorage.getItem(key);
  if (chosen === "light" || chosen === "dark") return chosen;
  return system.matches ? "dark" : "light";
}

/** Puts the theme into the document. */
export function applyTheme(): void {
  document.documentElement.dataset.theme = current();
  for (const listener of [...listeners]) listener();
}

system.addEventListener("change", applyTheme);

/** The theme of the document. Not asked of the system: whoever asks between a change and its event takes the event away. */
function shown(): Theme {
  return document.documentElement.dataset.theme === "dark" ? "dark" : "light";
}

export function useTheme(): [Theme, (theme: Theme) => void] {
  const theme = useSyncExternalStore(
    (listener) => { listeners.add(listener); return () => { listeners.delete(listener); }; }, shown);
  return [theme, (chosen) => {
    // What the system has is followed, not kept.
    if (chosen === (system.matches ? "dark" : "light")) localStorage.removeItem(key);
    else localStorage.setItem(key, chosen);
    applyTheme();
  }];
}
