// The tasks of a job as a graph. Tasks are buttons or links, so that the keyboard and screen readers have them as well.
import { KeyboardEvent, PointerEvent, ReactNode, useMemo, useRef, useState } from "react";
import type { TaskSpec } from "../api/generated/contract";
import { box, layout } from "./layout";

/** How a task and what it waits for are said. */
export function saidOf(task: TaskSpec): string {
  const before = task.depends_on?.map((one) => one.task_key + (one.outcome ? ` if ${one.outcome}` : "")).join(" and ");
  return before ? `${task.task_key}, after ${before}` : task.task_key;
}

/** A graph whose tasks are drawn by the caller. */
export function Graph({ tasks, label, node, circle, line, onCut, onPointerDown, onPointerMove, onPointerUp, onPointerCancel, onKeyDown }: {
  tasks: TaskSpec[]; label: string;
  node: (task: TaskSpec, place: { left: number; top: number; width: number; height: number }) => ReactNode;
  circle?: string[]; line?: string; onCut?: (from: string, to: string) => void;
} & Partial<Record<"onPointerDown" | "onPointerMove" | "onPointerUp" | "onPointerCancel", (event: PointerEvent<HTMLDivElement>) => void>>
  & { onKeyDown?: (event: KeyboardEvent<HTMLDivElement>) => void }) {
  const shape = tasks.map((task) => [task.task_key, task.depends_on]);
  const drawn = useMemo(() => layout(tasks), [JSON.stringify(shape)]);
  const isInCircle = (from: string, to: string) => circle?.some((key, index) => key === to && circle[index + 1] === from) ?? false;
  return (
    <div className="graph" tabIndex={onKeyDown ? undefined : 0} role="group" aria-label={label} onKeyDown={onKeyDown}
      onPointerDown={onPointerDown} onPointerMove={onPointerMove} onPointerUp={onPointerUp} onPointerCancel={onPointerCancel}>
      <div className="graph-ground" style={{ width: drawn.width, height: drawn.height }}>
        <svg width={drawn.width} height={drawn.height} aria-hidden="true" focusable="false">
          <defs>
            <marker id="graph-arrow" viewBox="0 0 8 8" refX="3" refY="4" markerWidth="7" markerHeight="7" orient="auto" markerUnits="userSpaceOnUse">
              <path d="M0 0L8 4L0 8z" className="graph-arrow" /></marker>
          </defs>
          {drawn.edges.map((edge) => (
            <g key={`${edge.from}>${edge.to}`} className={isInCircle(edge.from, edge.to) ? "graph-line bad" : "graph-line"}>
              <path className="graph-edge" d={edge.path} markerEnd="url(#graph-arrow)" />
              {onCut && <path className="graph-grip" d={edge.path} onClick={() => onCut(edge.from, edge.to)}>
                <title>{`${edge.to} waits for ${edge.from}. Click to end that.`}</title></path>}
            </g>
          ))}
          {line && <path className="graph-edge new" d={line} />}
        </svg>
        {tasks.map((task) => {
          const place = drawn.places.get(task.task_key);
          return place && node(task, { left: place.x, top: place.y, width: box.width, height: box.height });
        })}
      </div>
    </div>
  );
}

interface Drag { from: string; startX: number; startY: number; line?: string; over?: string }

/** The task under the pointer. */
function taskAt(event: PointerEvent): string | undefined {
  const element = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-task]");
  return element instanceof HTMLElement ? element.dataset.task : undefined;
}

export interface NodeLook { text: string; kind: string; problems: number; isUnfinished: boolean }

/** The graph to be edited: a task is chosen by click or arrow keys, and joined to another by being dragged onto it. */
export function GraphEditor({ tasks, selected, circle, look, onSelect, onConnect, onCut, onRemove }: {
  tasks: TaskSpec[]; selected?: string; circle?: string[]; look: (task: TaskSpec) => NodeLook;
  onSelect: (key: string) => void; onConnect: (from: string, to: string) => void;
  onCut: (from: string, to: string) => void; onRemove: (key: string) => void;
}) {
  const [drag, showDrag] = useState<Drag>();
  // Drawn when there is time; what a pointer does next is about what it did last.
  const held = useRef<Drag>();
  const setDrag = (next?: Drag) => { held.current = next; showDrag(next); };
  const wasDragged = useRef(false);
  const ground = useRef<HTMLElement | null>(null);

  const down = (event: PointerEvent<HTMLDivElement>) => {
    wasDragged.current = false;
    const target = event.target as HTMLElement;
    const from = target.closest<HTMLElement>("[data-task]")?.dataset.task;
    // A finger that moves over a box scrolls; from its handle it draws.
    if (!from || event.button !== 0 || (event.pointerType === "touch" && !target.closest(".node-handle"))) return;
    ground.current = event.currentTarget.querySelector(".graph-ground");
    setDrag({ from, startX: event.clientX, startY: event.clientY });
  };
  const move = (event: PointerEvent<HTMLDivElement>) => {
    const drag = held.current;
    if (!drag || !ground.current) return;
    if (!drag.line && Math.hypot(event.clientX - drag.startX, event.clientY - drag.startY) < 6) return;
    if (!drag.line) event.currentTarget.setPointerCapture(event.pointerId);
    wasDragged.current = true;
    const edge = ground.current.getBoundingClientRect();
    const node = ground.current.querySelector<HTMLElement>(`[data-task="${CSS.escape(drag.from)}"]`);
    const x = (node?.offsetLeft ?? 0) + box.width;
    const y = (node?.offsetTop ?? 0) + box.height / 2;
    const over = taskAt(event);
    setDrag({ ...drag, line: `M${x} ${y}L${event.clientX - edge.left} ${event.clientY - edge.top}`, over: over === drag.from ? undefined : over });
  };
  const up = (event: PointerEvent<HTMLDivElement>) => {
    const drag = held.current;
    const over = drag?.line ? taskAt(event) : undefined;
    if (drag && over && over !== drag.from) onConnect(drag.from, over);
    setDrag(undefined);
  };

  const press = (event: KeyboardEvent<HTMLDivElement>) => {
    const focused = (event.target as HTMLElement).closest<HTMLElement>("[data-task]")?.dataset.task;
    if (!focused || event.ctrlKey || event.metaKey || event.altKey) return;
    const drawn = layout(tasks).places;
    const here = drawn.get(focused);
    if (event.key === "Delete") { event.preventDefault(); onRemove(focused); return; }
    if (!here || !/^Arrow/.test(event.key)) return;
    event.preventDefault();
    const isAcross = event.key === "ArrowLeft" || event.key === "ArrowRight";
    const step = event.key === "ArrowRight" || event.key === "ArrowDown" ? 1 : -1;
    const others = [...drawn].filter(([key, place]) => key !== focused && (isAcross
      ? place.layer === here.layer + step : place.layer === here.layer && (place.y - here.y) * step > 0));
    others.sort(([, a], [, b]) => Math.abs(a.y - here.y) - Math.abs(b.y - here.y));
    const next = others[0]?.[0];
    if (!next) return;
    onSelect(next);
    event.currentTarget.querySelector<HTMLElement>(`[data-task="${CSS.escape(next)}"]`)?.focus();
  };

  const stop = selected ?? tasks[0]?.task_key;
  return (
    <Graph tasks={tasks} circle={circle} line={drag?.line} label="Tasks of the job. Arrow keys go from task to task, Delete removes one."
      onCut={onCut}
      onPointerDown={down} onPointerMove={move} onPointerUp={up} onPointerCancel={() => setDrag(undefined)} onKeyDown={press}
      node={(task, place) => {
        const shown = look(task);
        const said = [saidOf(task), shown.kind, shown.problems > 0 ? `${shown.problems} to correct` : shown.isUnfinished ? "not finished" : ""];
        return (
          <button key={task.task_key} type="button" data-task={task.task_key} style={place} tabIndex={task.task_key === stop ? 0 : -1}
            className={["node", drag?.over === task.task_key && "over", shown.problems > 0 && "bad", task.disabled && "off"].filter(Boolean).join(" ")}
            aria-pressed={task.task_key === selected} aria-label={said.filter(Boolean).join(", ")}
            onClick={(event) => { if (!wasDragged.current || event.detail === 0) onSelect(task.task_key); }}>
            <span className="node-name truncate">{task.task_key}</span>
            <span className="node-text truncate">{shown.text || shown.kind}</span>
            {(shown.problems > 0 || shown.isUnfinished) &&
              <span className={shown.problems > 0 ? "node-mark bad" : "node-mark"}>{shown.problems > 0 ? "!" : "…"}</span>}
            <span className="node-handle" title="Drag onto the task that is to come after" />
          </button>
        );
      }} />
  );
}
