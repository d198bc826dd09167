// Text of terminals with its colours (ECMA-48, SGR); other control sequences are left out.
import { ReactNode } from "react";

// eslint-disable-next-line no-control-regex
const sequence = /\u001b\[([0-9;]*)([A-Za-z])|\u001b\][^\u0007]*\u0007/g;

export function plain(text: string): string { return text.replace(sequence, ""); }

export function Ansi({ text }: { text: string }) {
  if (!text.includes("\u001b")) return <>{text}</>;
  const parts: ReactNode[] = [];
  let start = 0;
  let colour = 0;
  let isBold = false;
  const push = (piece: string) => {
    if (!piece) return;
    const classes = [colour ? `ansi-${colour}` : "", isBold ? "ansi-bold" : ""].filter(Boolean).join(" ");
    parts.push(classes ? <span key={parts.length} className={classes}>{piece}</span> : piece);
  };
  for (const match of text.matchAll(sequence)) {
    push(text.slice(start, match.index));
    start = (match.index ?? 0) + match[0].length;
    if (match[2] !== "m") continue;
    const codes = (match[1] || "0").split(";").map(Number);
    for (let index = 0; index < codes.length; index += 1) {
      const code = codes[index] ?? 0;
      if (code === 0) { colour = 0; isBold = false; }
      else if (code === 1) isBold = true;
      else if (code === 22) isBold = false;
      else if (code >= 30 && code <= 37) colour = code;
      else if (code >= 90 && code <= 97) colour = code - 60;
      else if (code === 39) colour = 0;
      else if (code === 38 || code === 48) index += codes[index + 1] === 5 ? 2 : 4;
    }
  }
  push(text.slice(start));
  return <>{parts}</>;
}
