// Monaco, as its packagers built it, made ready to be served with the page. Debian has none; a wheel of PyPI has, which
// deploy/lib/page.sh fetches.
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

// What is served of its 12 MB: no language servers, which are for the web's own languages, and English.
const wanted = [
  "loader.js", "editor/editor.main.js", "editor/editor.main.css", "editor/editor.main.nls.js", "base/worker/workerMain.js",
  "base/browser/ui/codicons/codicon/codicon.ttf", "language/json/jsonMode.js", "language/json/jsonWorker.js",
  ...["cpp", "css", "dockerfile", "html", "ini", "java", "javascript", "markdown", "python", "r", "scala", "shell", "sql", "swift", "xml", "yaml"]
    .map((one) => `basic-languages/${one}/${one}.js`),
];
const styleMaker = 'document.createElement("style")';
const stylePlaces = 2;

/** Where Monaco was put. */
export function monacoFolder() {
  const folder = process.env.HARBOUR_MONACO ?? join(process.env.HARBOUR_DATA ?? join(homedir(), ".harbour"), "parts/monaco");
  if (!existsSync(join(folder, "min/vs/loader.js"))) {
    throw new Error(`Monaco is not in ${folder}. Run deploy/up or deploy/test once, which fetch it, or set HARBOUR_MONACO.`);
  }
  return folder;
}

/** Its types, for the check of ours. */
export function copyTypes(folder, file) {
  mkdirSync(dirname(file), { recursive: true });
  cpSync(join(folder, "monaco.d.ts"), file);
}

/** Copies it below `assets`, under a name that changes with what is in it; answers that name. */
export function copyMonaco(folder, assets) {
  const files = wanted.map((name) => [name, changed(name, readFileSync(join(folder, "min/vs", name)))]);
  const digest = createHash("sha256");
  for (const [name, bytes] of files) digest.update(`${name}\0${bytes.length}\0`).update(bytes);
  const name = `monaco-0${digest.digest("hex").slice(0, 8)}`;
  for (const [path, bytes] of files) {
    const file = join(assets, name, "vs", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  }
  return name;
}

/** The page's policy forbids elements of style that scripts fill: `src/code/styles-element.ts` has what takes their place. */
function changed(name, bytes) {
  if (name !== "editor/editor.main.js") return bytes;
  const parts = bytes.toString("utf8").split(styleMaker);
  if (parts.length !== stylePlaces + 1) throw new Error(`Monaco makes elements of style in ${parts.length - 1} places, not ${stylePlaces}: look at them.`);
  return Buffer.from(parts.join("new HarbourStylesElement"));
}
