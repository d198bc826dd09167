// What is written here as a file of its own, where it cannot be saved in its place.
import { call } from "../api/client";
import type { Json } from "../api/generated/contract";
import { isWhole } from "./cells";
import type { NotebookDocument } from "./document";
import type { NotebookStore } from "./store";

/** Where Databricks describes a notebook in its file. */
const about = "application/vnd.databricks.v1+notebook";

/**
 * Mine as a file, with the widgets that the notebook has now: what was read at first has only those that came with it. Outputs
 * that are here in part are the server's, which has them whole.
 */
export async function fileOfMine(store: NotebookStore, path: string): Promise<NotebookDocument> {
  const { content } = await call("exportObject", { path, format: "JUPYTER" });
  const file = JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(content), (one) => one.charCodeAt(0)))) as NotebookDocument;
  const whole = new Map(file.cells.map((cell) => [cell.id, cell.outputs]));
  const mine = store.serialize();
  for (const cell of mine.cells) {
    if (store.cell(cell.id)?.outputs.every(isWhole) === false) cell.outputs = whole.get(cell.id) ?? cell.outputs;
  }
  const [now, own] = [file, mine].map(({ metadata }) => metadata[about] as Record<string, Json> | undefined);
  return now?.widgets === undefined ? mine : { ...mine, metadata: { ...mine.metadata, [about]: { ...now, ...own, widgets: now.widgets } } };
}

/** Whether some outputs are not here as a whole. */
export function isInPart(store: NotebookStore): boolean {
  return store.state.cells.some((cell) => cell.type === "code" && !cell.outputs.every(isWhole));
}
