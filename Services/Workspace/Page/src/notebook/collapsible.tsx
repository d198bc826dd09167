// A cell's outputs and the button that collapses them. Collapsed, one line says what there is, and shows it again.
import { useMemo } from "react";
import type { Json } from "../api/generated/contract";
import { Charts } from "../output/charts/kept";
import { Outputs, SaveAll } from "../output/outputs";
import { Icon } from "../ui/icons";
import type { CellView } from "./cells";
import { chartsOf } from "./charted";
import { isFolded, summaryOf } from "./hidden";

export function Collapsible({ cell, number, isSelected, name, load, saveAll, onToggle, onChart }: {
  cell: CellView; number: number; isSelected: boolean; name: string; load: (isWhole: boolean) => Promise<void>;
  saveAll: (cell: CellView, name: string) => Promise<void>; onToggle: () => void;
  /** Keeps what of a table is charted. */
  onChart: (place: number, choice: Json | undefined) => void;
}) {
  const hidden = isFolded(cell);
  const kept = cell.charts ?? chartsOf(cell.origin);
  const charts = useMemo(() => ({ of: (place: number) => kept[String(place)], keep: onChart }), [kept]);
  const isRunning = cell.run?.state === "running";
  // What is not shown is not counted either.
  const about = useMemo(() => hidden ? summaryOf(cell.outputs) : undefined, [hidden, cell.outputs]);
  if (cell.outputs.length === 0 && !(hidden && isRunning)) return null;
  const what = about && (about.text || (about.errors.length > 0 ? "" : isRunning ? "nothing yet" : "nothing to see"));
  const label = about ? `Show the outputs of cell ${number}: ${[what, ...about.errors].filter(Boolean).join(", ")}` : `Collapse the outputs of cell ${number}`;
  return (
    <div className="outputs-place">
      {/* One button for both, so that it keeps the keyboard. */}
      <button type="button" className={hidden ? "fold-outputs folded" : "fold-outputs"} aria-expanded={!hidden} aria-label={label}
        title={hidden ? "Show the outputs (o)" : "Collapse the outputs (o)"} tabIndex={isSelected ? 0 : -1} onClick={onToggle}>
        <Icon name={hidden ? "chevron" : "chevronDown"} size={13} />
        {about && <>
          {what && <span className="truncate">{what}</span>}
          {about.errors.map((one, index) => <span key={index} className="folded-error"><Icon name="alert" size={14} />{one}</span>)}
        </>}
      </button>
      {!hidden && (
        <SaveAll.Provider value={() => saveAll(cell, name)}><Charts.Provider value={charts}>
          <Outputs outputs={cell.outputs} name={name} load={load} />
        </Charts.Provider></SaveAll.Provider>
      )}
    </div>
  );
}
