// Which cells read a widget, as far as their words tell.
import type { CellView } from "./cells";
import { magicOf } from "./document";

const getting = /\b(?:widgets\s*\.\s*get|getArgument)\s*\(\s*(?:name\s*=\s*)?(?:[rRuU]?(?:"([^"\\\n]*)"|'([^'\\\n]*)')\s*[,)])?|\bwidgets\s*\.\s*getAll\s*\(/g;

/**
 * Whether a code cell reads a widget: by `dbutils.widgets.get("name")`, `getArgument("name")` or `getAll()`, or by `:name` in
 * SQL. A name that is put together only while the cell runs may be any.
 */
export function readsWidget(cell: CellView, notebookLanguage: string, name: string): boolean {
  if (cell.type !== "code") return false;
  const language = magicOf(cell.source)?.language ?? notebookLanguage;
  if (language === "sql") return [...cell.source.matchAll(/(?<!:):(\w+)/g)].some((found) => found[1] === name);
  if (language !== "python") return false;
  return [...cell.source.matchAll(getting)].some(([, double, single]) => (double ?? single ?? name) === name);
}
