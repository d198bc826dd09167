// KaTeX's style sheet and fonts, made ready to be served beside the page; its script is bundled like ours. Both come with
// Debian's libjs-katex and fonts-katex.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where Debian's packages put what they have for browsers. */
export const browserPackages = "/usr/share/javascript";

/** Copies them below `assets`, under a name that changes with what is in them; answers that name. */
export function copyKatex(assets) {
  const folder = join(browserPackages, "katex");
  const whole = readFileSync(join(folder, "katex.min.css"), "utf8");
  // Every browser that can show the page takes the smallest of the three forms of a font.
  const sheet = whole.replace(/,\s*url\([^)]*\.(woff|ttf)\)\s*format\([^)]*\)/g, "");
  const names = [...new Set([...sheet.matchAll(/url\(fonts\/([\w-]+\.woff2)\)/g)].map((match) => match[1]))];
  if (names.length === 0 || /\.(woff|ttf)\)/.test(sheet)) throw new Error("KaTeX's style sheet is not what it was: look at its fonts.");
  const files = [["katex.css", Buffer.from(sheet)], ...names.map((name) => [`fonts/${name}`, readFileSync(join(folder, "fonts", name))])];
  const digest = createHash("sha256");
  for (const [name, bytes] of files) digest.update(`${name}\0${bytes.length}\0`).update(bytes);
  const name = `katex-0${digest.digest("hex").slice(0, 8)}`;
  mkdirSync(join(assets, name, "fonts"), { recursive: true });
  for (const [path, bytes] of files) writeFileSync(join(assets, name, path), bytes);
  return name;
}
