// What can be done with a notebook beside what is in sight: the menu of its toolbar.
import { call } from "../api/client";
import { save as saveFile } from "../output/table";
import { Menu, MenuItem } from "../ui/menu";
import { toastError, toastWhile } from "../ui/toast";
import type { Asking } from "./asking";
import { keepInPlace } from "./place";
import type { Runner } from "./runner";
import type { Saver } from "./saver";
import type { NotebookStore } from "./store";

/** What the source of a notebook is called, by its language. */
const endings: Record<string, string> = { python: "py", sql: "sql", scala: "scala", r: "r" };

export function More({ store, saver, runner, name, isAttached, onFind, asking: { run, askRestart, setDialog } }: {
  store: NotebookStore; saver: Saver; runner: Runner; name: string; isAttached: boolean; onFind: () => void; asking: Asking;
}) {
  // The server has all outputs whole.
  const download = (format: "JUPYTER" | "SOURCE", ending: string, type: string) => {
    const work = runner.settle().then(() => saver.save()).then((isSaved) => {
      if (!isSaved) throw new Error("What you typed is not saved yet, and the file would lack it. Save it first.");
      return call("exportObject", { path: store.path, format });
    }).then((file) => {
      saveFile(`${name}.${ending}`, type, Uint8Array.from(atob(file.content), (one) => one.charCodeAt(0)));
    });
    toastWhile(`Preparing ${name}.${ending}…`, work).catch(toastError);
  };
  const ending = endings[store.language];
  const chosen = store.chosen;
  const hide = (hidden: boolean) => keepInPlace(store.state.selected, () => store.hideOutputs(hidden));
  const items: MenuItem[] = [
    { text: "Run all cells above", icon: "up", isDisabled: !chosen[0], run: () => run("ABOVE", chosen.slice(0, 1)) },
    { text: "Run this cell and all below", icon: "down", isDisabled: !chosen[0], run: () => run("BELOW", chosen.slice(0, 1)) },
    { text: "Restart the kernel", icon: "refresh", isDisabled: !isAttached, run: () => askRestart(false) },
    { text: "Restart and run all", icon: "play", isDisabled: !isAttached, run: () => askRestart(true) },
    { text: "Find and replace", icon: "search", run: onFind },
    { text: "Select all cells", icon: "check", run: () => store.selectAll() },
    { text: "Collapse all outputs", icon: "chevron", run: () => hide(true) },
    { text: "Expand all outputs", icon: "chevronDown", run: () => hide(false) },
    { text: chosen.length > 1 ? `Clear the outputs of ${chosen.length} cells` : "Clear the outputs of this cell", icon: "close", isDisabled: !chosen[0] || store.isReadOnly,
      run: () => store.clearOutputs(chosen) },
    { text: "Clear all outputs", icon: "close", isDisabled: store.isReadOnly, run: () => store.clearOutputs() },
    { text: "Make a job of it", icon: "clock", to: `/jobs/new?notebook=${encodeURIComponent(store.path)}` },
    { text: "Revisions", icon: "history", run: () => setDialog("history") },
    { text: "Save as .ipynb", icon: "download", run: () => download("JUPYTER", "ipynb", "application/x-ipynb+json") },
    ...ending ? [{ text: `Save as .${ending}`, icon: "download" as const, run: () => download("SOURCE", ending, "text/plain") }] : [],
    { text: "Keys", icon: "keyboard", run: () => setDialog("shortcuts") },
  ];
  return <Menu label="More" items={items} />;
}
