// Brings a notebook of the user's into the tree; it loses the ending of its name, as in Databricks.
import { ApiError, call } from "../api/client";
import type { ImportObject, ObjectInfo } from "../api/generated/contract";

const limit = 64 << 20;

/** Whether a file becomes a notebook; all others stay files. */
export function isNotebook(file: File): boolean { return /.\.(ipynb|py|sql)$/i.test(file.name) && file.size <= limit; }

function encoded(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
    reader.onerror = () => reject(new Error(`${file.name} could not be read.`));
    reader.readAsDataURL(file);
  });
}

/** The path of a name in a folder; what is there is never overwritten: the new one gets a number. */
export function pathOf(folder: string, name: string, count: number): string {
  const [, stem, ending] = /^(.+?)(\.[^.]*)?$/.exec(name) ?? [name, name, ""];
  const numbered = count === 1 ? name : `${stem} (${count})${ending ?? ""}`;
  return folder === "/" ? `/${numbered}` : `${folder}/${numbered}`;
}

/** Tries one path after the other until one is free. */
export async function atFreePath<T>(folder: string, name: string, put: (path: string) => Promise<T>): Promise<T> {
  for (let count = 1; ; count += 1) {
    try {
      return await put(pathOf(folder, name, count));
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== "RESOURCE_ALREADY_EXISTS" || count >= 20) throw error;
    }
  }
}

export async function importNotebook(file: File, folder: string, signal: AbortSignal): Promise<ObjectInfo> {
  const [, name, ending] = /^(.+)\.(ipynb|py|sql)$/i.exec(file.name) ?? [file.name, file.name, ""];
  const content = await encoded(file);
  const rest: Omit<ImportObject, "path"> = ending?.toLowerCase() === "ipynb"
    ? { content, format: "JUPYTER" } : { content, format: "SOURCE", language: ending?.toLowerCase() === "sql" ? "sql" : "python" };
  return atFreePath(folder, name ?? file.name, (path) => call("importObject", { body: { ...rest, path } }, signal));
}
