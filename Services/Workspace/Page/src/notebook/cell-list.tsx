// The cells of a notebook, and between them the places where others are put in.
import type { LivePresence } from "../api/generated/contract";
import { Cell } from "./cell";
import { heightOf, stripHeight, useWidthOfOutputs } from "./heights";
import { isFolded } from "./hidden";
import type { Then } from "./keys";
import { Near } from "./near";
import { Place } from "./place";
import type { Runner } from "./runner";
import type { NotebookState } from "./state";
import type { NotebookStore } from "./store";

export function CellList({ store, state, name, people, onRun, onSave, runner }: {
  store: NotebookStore; state: NotebookState; name: string; people: LivePresence[]; onRun: (ids: string[], then: Then) => void; onSave: () => void;
  runner: Runner;
}) {
  const width = useWidthOfOutputs();
  const chosen = store.chosen;
  return (
    <div className="cells">
      {state.cells.map((cell, index) => {
        const height = heightOf(cell, width);
        return (
          <Place key={cell.id} isEditing={state.editing === cell.id} isHidden={isFolded(cell)} height={height}>
            <Insert onInsert={(kind) => store.insert(index, kind, true)} />
            <Near cell={cell} index={index} height={height - stripHeight} isNearAtFirst={index < 10 || state.selected === cell.id}>
              <Cell cell={cell} number={index + 1} language={store.languageOf(cell)} isSelected={state.selected === cell.id}
                isMarked={chosen.length > 1 && state.marked.has(cell.id)} together={state.selected === cell.id ? chosen.length : 0}
                isEditing={state.editing === cell.id} led={state.led?.id === cell.id ? state.led : undefined} store={store} onRun={onRun} onSave={onSave} name={name} people={people} notebookID={store.notebookID} load={runner.loading.get} saveAll={runner.saveAll} />
            </Near>
          </Place>
        );
      })}
      <Insert onInsert={(kind) => store.insert(state.cells.length, kind, true)} isLast />
    </div>
  );
}

function Insert({ onInsert, isLast }: { onInsert: (kind: { type: "code" | "markdown" }) => void; isLast?: boolean }) {
  return (
    <div className={isLast ? "insert last" : "insert"}>
      <button type="button" tabIndex={isLast ? 0 : -1} onClick={() => onInsert({ type: "code" })}>+ Code</button>
      <button type="button" tabIndex={isLast ? 0 : -1} onClick={() => onInsert({ type: "markdown" })}>+ Text</button>
    </div>
  );
}
