// Where the tasks of a graph are drawn: a column for each layer of dependencies, few crossings, edges around the boxes.
import type { TaskSpec } from "../api/generated/contract";

export const box = { width: 196, height: 58, across: 64, down: 20 };

/** The height of the way that an edge takes through a column. */
const way = 14;
/** Beyond that many points, edges go straight: nobody can follow them by eye. */
const mostPoints = 3000;
const margin = 6;
/** Room beside the boxes and below them, for an edge that goes back. */
const detour = 30;

export interface Edge { from: string; to: string; path: string }
export interface Layout { places: Map<string, { x: number; y: number; layer: number }>; edges: Edge[]; width: number; height: number }

interface Point { key: string; layer: number; y: number; height: number; before: Point[]; after: Point[] }

type Ends = [from: string, to: string];

function edgesOf(tasks: TaskSpec[]): Ends[] {
  const keys = new Set(tasks.map((task) => task.task_key));
  return tasks.flatMap((task) => (task.depends_on ?? []).filter((one) => keys.has(one.task_key))
    .map((one): Ends => [one.task_key, task.task_key]));
}

/** Edges that close a circle: found by going from what is first in the list to what comes after it. */
function closing(tasks: TaskSpec[], edges: Ends[]): Set<string> {
  const after = new Map<string, string[]>();
  for (const [from, to] of edges) after.set(from, [...after.get(from) ?? [], to]);
  const found = new Set<string>();
  const open = new Set<string>();
  const done = new Set<string>();
  const visit = (key: string) => {
    open.add(key);
    for (const next of after.get(key) ?? []) {
      if (open.has(next)) found.add(`${key}>${next}`);
      else if (!done.has(next)) visit(next);
    }
    open.delete(key);
    done.add(key);
  };
  for (const task of tasks) if (!done.has(task.task_key)) visit(task.task_key);
  return found;
}

/** The layer of each task: one further than all that it waits for. An edge that closes a circle does not count. */
export function layersOf(tasks: TaskSpec[]): Map<string, number> {
  const edges = edgesOf(tasks);
  const closed = closing(tasks, edges);
  const before = new Map<string, string[]>();
  for (const [from, to] of edges) if (!closed.has(`${from}>${to}`)) before.set(to, [...before.get(to) ?? [], from]);
  const found = new Map<string, number>();
  const layer = (key: string): number => {
    const known = found.get(key);
    if (known !== undefined) return known;
    const value = Math.max(-1, ...(before.get(key) ?? []).map(layer)) + 1;
    found.set(key, value);
    return value;
  };
  for (const task of tasks) layer(task.task_key);
  return found;
}

function link(from: Point, to: Point): void { from.after.push(to); to.before.push(from); }

/** Puts a point into each column that an edge goes through, so that it has a way of its own there. */
function points(tasks: TaskSpec[], layers: Map<string, number>, edges: Ends[]) {
  const all = new Map<string, Point>();
  const columns: Point[][] = [];
  const add = (key: string, layer: number, height: number): Point => {
    const point = { key, layer, y: 0, height, before: [], after: [] };
    (columns[layer] ??= []).push(point);
    return point;
  };
  for (const task of tasks) all.set(task.task_key, add(task.task_key, layers.get(task.task_key) ?? 0, box.height));
  const length = edges.reduce((sum, [from, to]) => sum + Math.max(0, (layers.get(to) ?? 0) - (layers.get(from) ?? 0) - 1), 0);
  const ways = new Map<string, Point[]>();
  for (const [from, to] of edges) {
    const start = all.get(from);
    const end = all.get(to);
    if (!start || !end || end.layer <= start.layer) continue;
    let last = start;
    const between: Point[] = [];
    for (let layer = start.layer + 1; layer < end.layer && length < mostPoints; layer += 1) {
      const point = add("", layer, way);
      link(last, point);
      between.push(point);
      last = point;
    }
    link(last, end);
    ways.set(`${from}>${to}`, between);
  }
  return { all, columns, ways };
}

const mean = (points: Point[], other: number) =>
  points.length === 0 ? other : points.reduce((sum, one) => sum + one.y + one.height / 2, 0) / points.length;

/** Orders a column by where its neighbours are, and keeps its members apart. */
function settle(column: Point[], neighbours: (point: Point) => Point[]): void {
  const wanted = new Map(column.map((point) => [point, mean(neighbours(point), point.y + point.height / 2)]));
  column.sort((a, b) => (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0));
  let end = -Infinity;
  for (const point of column) {
    point.y = Math.max((wanted.get(point) ?? 0) - point.height / 2, end);
    end = point.y + point.height + box.down;
  }
  // Pushing only downwards would let a column sink: it comes back to the middle of what it wanted.
  const shift = column.reduce((sum, point) => sum + (wanted.get(point) ?? 0) - point.height / 2 - point.y, 0) / column.length;
  for (const point of column) point.y += shift;
}

function curve(x1: number, y1: number, x2: number, y2: number): string {
  const bend = Math.max(24, Math.abs(x2 - x1) / 2);
  return `C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

/** The way of an edge against the direction: around below everything, so that it is seen to go back. */
function wayBack(x1: number, y1: number, x2: number, y2: number, bottom: number): string {
  const right = x1 + detour - 6;
  const left = x2 - detour + 6;
  return `M${x1} ${y1}C${right} ${y1} ${right} ${bottom} ${x1} ${bottom}L${x2} ${bottom}C${left} ${bottom} ${left} ${y2} ${x2 - 6} ${y2}`;
}

export function layout(tasks: TaskSpec[]): Layout {
  const layers = layersOf(tasks);
  const edges = edgesOf(tasks);
  const isBack = ([from, to]: Ends) => (layers.get(from) ?? 0) >= (layers.get(to) ?? 0);
  const beside = edges.some(isBack) ? detour : margin;
  const { all, columns, ways } = points(tasks, layers, edges);
  for (const column of columns) {
    let y = 0;
    for (const point of column) { point.y = y; y += point.height + box.down; }
    for (const point of column) point.y -= (y - box.down) / 2;
  }
  for (let round = 0; round < 4; round += 1) {
    for (const column of columns) settle(column, (point) => point.before);
    for (const column of [...columns].reverse()) settle(column, (point) => point.after);
  }
  for (const column of columns) settle(column, (point) => point.before);
  const top = Math.min(0, ...columns.flat().map((point) => point.y));
  const bottom = Math.max(0, ...columns.flat().map((point) => point.y + point.height));
  const x = (layer: number) => beside + layer * (box.width + box.across);
  const y = (point: Point) => Math.round(point.y - top + margin);
  const places = new Map([...all].map(([key, point]) => [key, { x: x(point.layer), y: y(point), layer: point.layer }]));
  const drawn = edges.flatMap(([from, to]): Edge[] => {
    const start = all.get(from);
    const end = all.get(to);
    if (!start || !end) return [];
    if (isBack([from, to])) {
      const below = bottom - top + margin + detour / 2;
      return [{ from, to, path: wayBack(x(start.layer) + box.width, y(start) + box.height / 2, x(end.layer), y(end) + box.height / 2, below) }];
    }
    let at = { x: x(start.layer) + box.width, y: y(start) + box.height / 2 };
    let path = `M${at.x} ${at.y}`;
    for (const point of ways.get(`${from}>${to}`) ?? []) {
      const middle = y(point) + point.height / 2;
      path += `${curve(at.x, at.y, x(point.layer), middle)}L${x(point.layer) + box.width} ${middle}`;
      at = { x: x(point.layer) + box.width, y: middle };
    }
    return [{ from, to, path: path + curve(at.x, at.y, x(end.layer) - 6, y(end) + box.height / 2) }];
  });
  return {
    places, edges: drawn, width: x(Math.max(0, columns.length - 1)) + box.width + beside, height: Math.round(bottom - top) + margin + beside,
  };
}
