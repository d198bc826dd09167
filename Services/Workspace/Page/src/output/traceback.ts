// The lines of a traceback that are the user's own: those of cells and of their own files, and not the dozens of a library.
import { plain } from "./ansi";

/** Of one exception, and of all that led to each other. */
const [mostOfOne, mostOfAll] = [3, 12];

/** Between exceptions of which one led to the next. */
const chained = /^(The above exception was the direct cause of the following exception:|During handling of the above exception, another exception occurred:)$/m;

/** Where lines begin that are of a cell or of a file, as IPython has written that in its time. */
const place = /^(?:(?:Cell|Input) In ?\[|File |<ipython-input-|(?:~|\/|[A-Za-z]:\\)\S*\.py in )/;

/** Libraries: what is installed, what comes with Python, and what is compiled; cells run below the rest. */
const library = /[\\/](?:site-packages|dist-packages|pyspark|py4j|IPython|ipykernel|harbour_runtime)[\\/]|[\\/]lib(?:64)?[\\/]python\d[^\\/]*[\\/]|[\\/]Python\d+[\\/]Lib[\\/]|\.(?:pyx|pxi|pxd)\b|\.zip[\\/]|^File "?<(?:frozen |__array)/;

/** The line that is at work; IPython leaves its dashes out where the number is long. */
const arrow = /^(?:-*>|→)\s*\d+\s/;
const noSource = "'Could not get source, probably due dynamically evaluated source code.'";

/** The places of one exception, from the outermost on. */
function placesOf(lines: string[]): string[][] {
  const places: string[][] = [];
  let isOwn = false;
  let header: string | undefined;
  for (const raw of lines) {
    const line = raw.trim();
    if (place.test(line)) {
      isOwn = !library.test(line);
      header = isOwn ? line : undefined;
      // They are named also where no line is at work, as with a text that is no Python.
      if (/^(Cell|Input) In|^File "<(?!frozen)/.test(line)) { places.push([line]); header = undefined; }
    } else if (isOwn && arrow.test(line) && !line.endsWith(noSource)) {
      if (header) places.push([header, line]);
      else places[places.length - 1]?.push(line);
      isOwn = false;
    }
  }
  return places;
}

/** Where it began and where it ended, when there are more places than are shown. */
function shownOf(places: string[][]): string[] {
  const shown = places.length > mostOfOne ? [...places.slice(0, 1), ...places.slice(1 - mostOfOne)] : places;
  return shown.flat();
}

/** An exception in a line, by the head and the end of its own traceback. */
function named(lines: string[]): string {
  const name = /^(\S+)\s+Traceback \(most recent call last\)/.exec(lines.find((line) => line.includes("Traceback (most recent call last)")) ?? "")?.[1];
  const said = [...lines].reverse().find((line) => name !== undefined && line.startsWith(`${name}: `));
  const text = said ?? name ?? "another error";
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/** The lines of a traceback that are the user's own, as far as they are shown: of the last exception first, which is the one that is named. */
export function ownLines(lines: string[]): string[] {
  // Every second part is what is said between two exceptions.
  const parts = lines.map(plain).join("\n").split(chained);
  const own: string[] = [];
  for (let at = parts.length - 1; at >= 0; at -= 2) {
    const part = (parts[at] ?? "").split("\n");
    const shown = shownOf(placesOf(part));
    if (shown.length === 0) continue;
    if (at < parts.length - 1) own.push(`${parts[at + 1]?.startsWith("During") ? "While handling" : "Caused by"} ${named(part)}`);
    own.push(...shown);
  }
  return own.slice(0, mostOfAll);
}
