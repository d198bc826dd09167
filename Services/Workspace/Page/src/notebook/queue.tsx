// What runs and what waits, for everybody who looks.
import type { NotebookCommand } from "../api/generated/contract";
import { Button } from "../ui/parts";
import { Span } from "../ui/time";
import type { CellView } from "./cells";

const shown = 6;

export function QueuePanel({ queue, cells, onGo, onCancel }: {
  queue: NotebookCommand[]; cells: CellView[]; onGo: (cell: string) => void; onCancel: (command: string) => void;
}) {
  const numbers = new Map(cells.map((cell, index) => [cell.id, index + 1]));
  return (
    <section className="queue" aria-label="Queue">
      <ol>{queue.slice(0, shown).map((one) => {
        const number = numbers.get(one.cell_id);
        const name = number === undefined ? "a deleted cell" : `cell ${number}`;
        const isRunning = one.state === "RUNNING";
        return (
          <li key={one.command_id} className={isRunning ? "running" : undefined}>
            {isRunning ? <span className="spinner" /> : <span className="cell-waits" />}
            <button type="button" className="link" disabled={number === undefined} onClick={() => onGo(one.cell_id)}>
              {isRunning ? `Runs ${name}` : `Then ${name}`}</button>
            <span className="soft small">{one.is_cancelling ? "is being interrupted" : isRunning && one.start_time !== undefined
              ? <Span from={one.start_time} to={undefined} /> : null} {one.user_name}</span>
            {!isRunning && <Button isSmall tone="quiet" icon="close" aria-label={`Take ${name} out of the queue`} onClick={() => onCancel(one.command_id)} />}
          </li>
        );
      })}</ol>
      {queue.length > shown && <span className="soft small">and {queue.length - shown} more</span>}
    </section>
  );
}
