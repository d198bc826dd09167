// How what was run has ended, for those who hear the page: what they see stands at its cell.
import { useEffect, useRef, useState } from "react";
import type { CellView, RunState } from "./cells";

const isOpen = (state: RunState | undefined) => state === "running" || state === "waiting";

function said(ended: CellView[], cells: CellView[]): string {
  const number = (cell: CellView) => cells.indexOf(cell) + 1;
  const failed = ended.find((cell) => cell.run?.state === "failed");
  const only = ended[0];
  if (failed) return `Cell ${number(failed)} failed.`;
  if (ended.length > 1 || !only) return `${ended.length} cells have ended.`;
  return only.run?.state === "done" ? `Cell ${number(only)} has run.` : `Cell ${number(only)} was not run to its end.`;
}

export function Announced({ cells }: { cells: CellView[] }) {
  const before = useRef(new Map<string, RunState | undefined>());
  const [text, setText] = useState("");
  useEffect(() => {
    const ended = cells.filter((cell) => isOpen(before.current.get(cell.id)) && cell.run !== undefined && !isOpen(cell.run.state));
    before.current = new Map(cells.map((cell) => [cell.id, cell.run?.state]));
    if (ended.length === 0) return;
    const next = said(ended, cells);
    // The same once more is news too, and would not be read as long as nothing is another.
    setText((now) => now === next ? `${next}\u00a0` : next);
  }, [cells]);
  return <div className="visually-hidden" role="status">{text}</div>;
}
