// Where an axis has its lines.
/** Round numbers that span the values. */
export function ticks(low: number, high: number, count = 5): number[] {
  if (!(high > low)) return [low];
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const size = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= raw) ?? raw;
  const [first, last] = [Math.ceil(low / size), Math.floor(high / size + 1e-9)];
  // Counted, for a number may be so large that nothing comes of adding a step to it.
  return Array.from({ length: Math.min(last - first, 2 * count) + 1 }, (_, index) => Number(((first + index) * size).toPrecision(12)));
}

const minute = 60000;
const steps = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440].map((one) => one * minute);

/** Round times of the clock here that lie within a span, with the same step between all of them. */
export function timeTicks(start: number, end: number, most = 6): number[] {
  const step = steps.find((one) => (end - start) / one <= most) ?? Math.ceil((end - start) / most / (1440 * minute)) * 1440 * minute;
  // Zones are ahead of each other by parts of hours too.
  const zone = new Date(end).getTimezoneOffset() * minute;
  const first = Math.ceil((start - zone) / step) * step + zone;
  return first > end ? [] : Array.from({ length: Math.floor((end - first) / step) + 1 }, (_, index) => first + index * step);
}
