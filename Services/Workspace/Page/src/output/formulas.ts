// Where in a text formulas are, by the marks that Jupyter and Databricks know.

export interface Formula {
  tex: string;
  /** Whether it stands in lines of its own. */
  isBlock: boolean;
  /** As it was written, with its marks. */
  source: string;
}

/** What stands for the formula of that number: letters that are nobody's. */
export const markPattern = "\uE000(\\d+)\uE001";

/** Beyond that they stay as they were written: a text is a person's, and a formula of a program may be of any length. */
const longest = 10_000;
const most = 1000;

/** What is in a formula: no empty line, and not the mark that begins another one, so that each letter is looked at once. */
const without = (mark = "(?!)") => `(?:(?!\\n[ \\t]*\\n|${mark})[\\s\\S])`;
/** Environments that are a formula without any other mark. */
const environments = "(?:equation|align|alignat|gather|split|aligned|gathered|cases|array|[bBpvV]?matrix)\\*?";

/** What is left alone, and then a formula by each kind of marks. */
const pattern = new RegExp([
  // Blocks of code, as markdown.tsx reads them; code in a line; addresses; a dollar that is one.
  "^(?:[ \\t>]|[-*+][ \\t]|\\d+[.)][ \\t])*(```+|~~~+)[^\\n]*(?:\\n[\\s\\S]*?(?:\\n[ \\t>]*\\1[^\\n]*|$(?![\\s\\S]))|$(?![\\s\\S]))",
  "(`+)(?:.+?)\\2(?!`)",
  "\\]\\([^()\\s]+|https?://[^\\s<>()]+",
  "\\\\\\$",
  `\\$\\$(${without()}+?)\\$\\$`,
  `\\\\\\\\\\[(${without("(?<!\\\\)\\\\\\\\\\[")}+?)\\\\\\\\\\]`,
  // A bracket with one backslash is also how a bracket is written that is no link.
  `(?<=^[ \\t>]*)\\\\\\[(${without("\\n[ \\t>]*\\\\\\[")}+?)\\\\\\][ \\t]*$`,
  `\\\\\\\\\\((${without("\\\\\\(")}+?)\\\\\\\\\\)`,
  `\\\\\\((${without("\\\\\\(")}+?)\\\\\\)`,
  `(?<=^[ \\t>]*)(\\\\begin\\{(${environments})\\}${without("\\\\begin\\{\\9\\}")}*?\\\\end\\{\\9\\})`,
  // A price is none: the first dollar has something behind it, the last one before it, and no digit behind it. Nor does a
  // formula reach into code or an address.
  "\\$(?=[^\\s$])((?:\\\\[\\s\\S]|(?!\\n[ \\t]*\\n|://)[^\\\\$`])*)(?<=\\S)\\$(?![\\d$])",
].join("|"), "gm");

/** Databricks wants the backslashes of a formula doubled where those of its marks are; of rows of a matrix they always are. */
function single(tex: string): string { return /\\begin\b/.test(tex) ? tex : tex.replace(/\\\\(?=[a-zA-Z])/g, "\\"); }

function formulaOf(match: RegExpMatchArray): Omit<Formula, "source"> | undefined {
  const [, , , dollars, brackets, bracket, rounds, round, environment, , dollar] = match;
  const block = dollars ?? (brackets === undefined ? undefined : single(brackets)) ?? bracket ?? environment;
  if (block !== undefined) return { tex: block, isBlock: true };
  const tex = (rounds === undefined ? undefined : single(rounds)) ?? round ?? dollar;
  return tex === undefined ? undefined : { tex, isBlock: false };
}

/** Takes the formulas out of a text, so that nothing in them is read as markdown. */
export function lifted(text: string): { text: string; formulas: Formula[] } {
  const formulas: Formula[] = [];
  if (!/[$\\]/.test(text)) return { text, formulas };
  const rest = text.replace(pattern, (...all) => {
    const source = all[0] as string;
    const found = formulas.length < most ? formulaOf(all.slice(0, 11) as string[]) : undefined;
    if (!found || found.tex.length > longest || !found.tex.trim()) return source;
    formulas.push({ ...found, source });
    return `\uE000${formulas.length - 1}\uE001`;
  });
  return { text: rest, formulas };
}
