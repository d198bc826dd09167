// Where an axis has its lines.
/** Round numbers that span the values. */
export function ticks(low: number, high: number, count = 5): number[] {
  if (!(high > low)) return [low];
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const size = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= raw) ?? raw;
  const all: number[] = [];
  for (let value = Math.ceil(low / size) * size; value <= high + size * 1e-9; value += size) all.push(Number(value.toPrecision(12)));
  return all;
}
