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
