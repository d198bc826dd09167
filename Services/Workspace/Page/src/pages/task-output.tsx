// What a task put out: the executed notebook when it is over, and cells as they come before.
import { useState } from "react";
import type { TaskOutput } from "../api/generated/contract";
import { Highlighted } from "../code/highlight";
import { NotebookDocument, cellLanguage, cellText } from "../notebook/document";
import { Markdown } from "../output/markdown";
import { Outputs } from "../output/outputs";
import { Output, exitType, joined, withEvent } from "../output/mime";
import { Button, Note } from "../ui/parts";
import { save } from "../output/table";
import { duration } from "../ui/time";
import type { LiveTask } from "./run";

export function TaskResult({ output }: { output: TaskOutput }) {
  const [isCodeShown, setCodeShown] = useState(true);
  const notebook = output.notebook as unknown as NotebookDocument | undefined;
  const hasError = notebook?.cells.some((cell) => cell.outputs?.some((one) => one.output_type === "error"));
  const hasExit = notebook?.cells.some((cell) => cell.outputs?.some((one) => "data" in one && exitType in one.data));
  return (
    <>
      {output.error && !hasError && (
        <Outputs outputs={withEvent([], { sequence: 1, timestamp: 0, type: "ERROR", error: output.error }, false)} />
      )}
      {output.truncated && <Note tone="warn">The outputs were too large to be kept whole.</Note>}
      {output.exit_value !== undefined && !hasExit && (
        <details className="exit-value"><summary>Exit value</summary><pre className="md-code">{pretty(output.exit_value)}</pre></details>
      )}
      {notebook && (
        <>
          <div className="row">
            <span className="soft small grow">The notebook as it was executed, {notebook.cells.length} cells</span>
            <Button isSmall tone="quiet" aria-pressed={!isCodeShown} onClick={() => setCodeShown(!isCodeShown)}>{isCodeShown ? "Hide code" : "Show code"}</Button>
            <Button isSmall tone="quiet" icon="download"
              onClick={() => save(`run-${output.run_id}-${output.task_key}.ipynb`, "application/x-ipynb+json", JSON.stringify(notebook, null, 1))}>.ipynb</Button>
          </div>
          {notebook.cells.map((cell, index) => {
            if (cell.cell_type === "raw") return null;
            const language = cellLanguage(cell, notebook);
            if (language === "md") return <Markdown key={cell.id ?? index} text={cellText(cell, notebook)} />;
            return <Cell key={cell.id ?? index} source={isCodeShown ? joined(cell.source) : ""} language={language} count={cell.execution_count ?? undefined}
              outputs={cell.outputs ?? []} name={`${output.task_key}-${index + 1}`} />;
          })}
        </>
      )}
    </>
  );
}

function pretty(text: string): string {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

function Cell({ source, language, count, outputs, name }: {
  source: string; language: string; count?: number; outputs: Output[]; name: string;
}) {
  return (
    <div className="shown-cell">
      {source && <div className="shown-source">
        <span className="cell-count" aria-label={count ? `Execution ${count}` : "Not executed"}>{count ?? " "}</span>
        <pre tabIndex={0} aria-label="Code"><Highlighted text={source} language={language} /></pre></div>}
      <Outputs outputs={outputs} name={name} />
    </div>
  );
}

/** Cells of a task that runs, in the order in which they began. */
export function LiveCells({ task }: { task: LiveTask }) {
  return (
    <>{[...task.cells].map(([id, cell]) => (
      <div key={id} className="shown-cell">
        <div className="row small soft">
          {cell.state === "RUNNING" && <span className="spinner" />}
          <span>Cell <span className="mono">{id}</span> {cell.state?.toLowerCase()}</span>
          {cell.start && cell.end && <span>· {duration(cell.end - cell.start)}</span>}
        </div>
        <Outputs outputs={cell.outputs} name={id} />
      </div>
    ))}</>
  );
}
