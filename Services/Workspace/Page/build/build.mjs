// Builds the page into a folder: node build.mjs OUTPUT [--check]
//
// Scripts and styles get names with a hash of their content, index.html is made to name them, and everything that is
// text is compressed ahead. With --check the types are checked as well, which takes longer than the build.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { contract } from "./contract.mjs";
import { browserPackages, copyKatex } from "./katex.mjs";
import { copyMonaco, copyTypes, monacoFolder } from "./monaco.mjs";

const page = dirname(dirname(fileURLToPath(import.meta.url)));
const schemas = join(page, "../../../schemas/openapi");
// Where Debian's packages put what they have for Node.
const packages = "/usr/share/nodejs";
const budget = 300 * 1024;

const words = process.argv.slice(2);
const output = words.find((word) => !word.startsWith("--"));
if (!output) {
  process.stderr.write("usage: node build.mjs OUTPUT [--check]\n");
  process.exit(2);
}

function writeContract() {
  const folder = join(page, "src/api/generated");
  mkdirSync(folder, { recursive: true });
  const text = contract(schemas);
  const file = join(folder, "contract.ts");
  let before = "";
  try { before = readFileSync(file, "utf8"); } catch { /* It is made for the first time. */ }
  if (before !== text) writeFileSync(file, text);
}

function bundle(monaco, katex) {
  const metafile = join(output, "meta.json");
  execFileSync("esbuild", [
    "src/main.tsx", "src/styles/main.css", "--bundle", "--splitting", "--format=esm", "--minify", "--target=es2020",
    `--outdir=${join(output, "assets")}`, `--metafile=${metafile}`, "--jsx=automatic", "--legal-comments=none",
    // The 0 makes sure of a digit, by which the server knows a hash.
    "--entry-names=[name]-0[hash]", "--chunk-names=[name]-0[hash]", "--asset-names=[name]-0[hash]",
    // A worker is a script of its own; what pdf.js would want of Node it does not ask for in a browser.
    "--loader:.worker.js=file", "--external:canvas", "--external:fs", "--external:http", "--external:https",
    "--external:url", "--external:zlib",
    "--define:process.env.NODE_ENV=\"production\"", `--define:MONACO_FOLDER="${monaco}"`,
    `--define:KATEX_FOLDER="${katex}"`, "--log-level=warning",
  ], { cwd: page, env: { ...process.env, NODE_PATH: `${packages}:${browserPackages}` }, stdio: ["ignore", "inherit", "inherit"] });
  const meta = JSON.parse(readFileSync(metafile, "utf8"));
  rmSync(metafile);
  return meta.outputs;
}

/** The files that the first view needs: the entry and what it imports without being asked later. */
function firstFiles(outputs) {
  const entries = Object.entries(outputs).filter(([, one]) => one.entryPoint);
  const wanted = new Set();
  const visit = (path) => {
    if (wanted.has(path)) return;
    wanted.add(path);
    for (const one of outputs[path].imports ?? []) if (one.kind !== "dynamic-import" && !one.external) visit(one.path);
  };
  for (const [path, one] of entries) if (/^src\/(main\.tsx|styles\/main\.css)$/.test(one.entryPoint)) visit(path);
  return [...wanted].map((path) => path.slice(path.indexOf("assets/")));
}

function writeDocuments(first) {
  const script = first.find((name) => /\/main-.*\.js$/.test(name));
  const style = first.find((name) => /\/main-.*\.css$/.test(name));
  const others = first.filter((name) => name.endsWith(".js") && name !== script);
  const preload = others.map((name) => `<link rel="modulepreload" href="/${name}">`).join("\n    ");
  const icon = readFileSync(join(page, "icon.svg"));
  writeFileSync(join(output, "assets/icon-0harbour1.svg"), icon);
  const document = readFileSync(join(page, "index.html"), "utf8")
    .replace("%SCRIPT%", `/${script}`).replace("%STYLE%", `/${style}`).replace("%PRELOAD%", preload);
  writeFileSync(join(output, "index.html"), document);
  writeFileSync(join(output, "output.html"), readFileSync(join(page, "output.html")));
}

function compress(folder) {
  const sizes = new Map();
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) {
      for (const [below, size] of compress(path)) sizes.set(`${name}/${below}`, size);
      continue;
    }
    const bytes = readFileSync(path);
    const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } });
    const gzip = gzipSync(bytes, { level: 9 });
    if (brotli.length < bytes.length) writeFileSync(`${path}.br`, brotli);
    if (gzip.length < bytes.length) writeFileSync(`${path}.gz`, gzip);
    sizes.set(name, { plain: bytes.length, gzip: gzip.length, brotli: brotli.length });
  }
  return sizes;
}

const kibibytes = (bytes) => `${(bytes / 1024).toFixed(1).padStart(7)} KiB`;

rmSync(output, { recursive: true, force: true });
mkdirSync(join(output, "assets"), { recursive: true });
writeContract();
const editor = monacoFolder();
copyTypes(editor, join(page, "src/code/generated/monaco.d.ts"));
if (words.includes("--check")) {
  execFileSync("tsc", ["-p", join(page, "tsconfig.json")], { stdio: ["ignore", "inherit", "inherit"] });
}
const assets = join(output, "assets");
const first = firstFiles(bundle(copyMonaco(editor, assets), copyKatex(assets)));
writeDocuments(first);
const sizes = compress(output);
let total = 0;
for (const [name, size] of [...sizes].sort((a, b) => b[1].gzip - a[1].gzip)) {
  const isFirst = first.includes(name) || name === "index.html";
  if (isFirst) total += size.gzip;
  process.stdout.write(`${kibibytes(size.plain)} ${kibibytes(size.gzip)} gzip ${kibibytes(size.brotli)} br  `
    + `${name}${isFirst ? "" : "  (later)"}\n`);
}
process.stdout.write(`page: ${(total / 1024).toFixed(1)} KiB compressed for the first view\n`);
if (total > budget) {
  process.stderr.write(`The first view has ${total} bytes compressed; ${budget} are allowed.\n`);
  process.exit(1);
}
