// The notebook as nbformat 4 has it, and what we read out of it. Fields we do not know stay as they are.
import type { Json } from "../api/generated/contract";
import { Output, joined } from "../output/mime";

export interface DocumentCell {
  id?: string;
  cell_type: "code" | "markdown" | "raw";
  source: string | string[];
  metadata: Record<string, Json>;
  outputs?: Output[];
  execution_count?: number | null;
}

export interface NotebookDocument {
  cells: DocumentCell[];
  metadata: Record<string, Json>;
  nbformat: number;
  nbformat_minor: number;
}

const magics: Record<string, string> = {
  "%python": "python", "%sql": "sql", "%scala": "scala", "%r": "r", "%sh": "sh", "%md": "md", "%md-sandbox": "md", "%fs": "fs",
  "%run": "run", "%pip": "pip", "%conda": "pip", "%raw": "raw",
};

/** The language of cells that do not say. */
export function notebookLanguage(notebook: NotebookDocument): string {
  const metadata = notebook.metadata as Record<string, Record<string, string> | undefined>;
  const name = metadata["application/vnd.databricks.v1+notebook"]?.language ?? metadata.language_info?.name
    ?? metadata.kernelspec?.language ?? "python";
  return /^i?python\d?$|^py$/i.test(name) ? "python" : name.toLowerCase();
}

/** The magic command that begins a code cell and chooses its language, and what follows it. */
export function magicOf(source: string): { language: string; body: string; command: string } | undefined {
  const match = /^\s*(%[\w-]+)(?:[ \t]*\r?\n|[ \t]+|$)/.exec(source);
  const command = match?.[1];
  const language = command ? magics[command] : undefined;
  if (!match || !command || !language) return undefined;
  // Python's kernel knows %pip itself, line by line.
  return { language, command, body: language === "pip" ? source : source.slice(match[0].length) };
}

/** The line of a code cell that chooses its language, which is not edited, and the text that is. */
export function partsOf(type: DocumentCell["cell_type"], source: string): { head: string; body: string } {
  const magic = type === "code" ? magicOf(source) : undefined;
  return magic && magic.language !== "pip" ? { head: `${magic.command}\n`, body: magic.body } : { head: "", body: source };
}

export function cellLanguage(cell: DocumentCell, notebook: NotebookDocument): string {
  if (cell.cell_type !== "code") return cell.cell_type === "markdown" ? "md" : "raw";
  return magicOf(joined(cell.source))?.language ?? notebookLanguage(notebook);
}

/** What is run or shown: the source without its magic command. */
export function cellText(cell: DocumentCell, _notebook: NotebookDocument): string {
  const source = joined(cell.source);
  return (cell.cell_type === "code" ? magicOf(source)?.body : undefined) ?? source;
}

/** A source as nbformat writes it: a list of lines, each with its end. */
export function lines(source: string): string[] {
  return source === "" ? [] : source.split(/(?<=\n)/);
}
