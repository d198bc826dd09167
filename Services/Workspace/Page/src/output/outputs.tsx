// The outputs of a cell: the richest form that is there, errors folded to the user's own lines.
import { createContext, memo, useContext, useEffect, useRef, useState } from "react";
import { useTheme } from "../app/theme";
import { Button } from "../ui/parts";
import { Icon } from "../ui/icons";
import { toastError } from "../ui/toast";
import { Ansi, plain } from "./ansi";
import { OutputPlace } from "./charts/kept";
import { Latex } from "./formula";
import { Markdown } from "./markdown";
import { Bundle, Output, exitType, joined, omittedOf, tableOf, truncatedType } from "./mime";
import { OutputPreview } from "./preview";
import { TableOutput, save } from "./table";
import { ownLines } from "./traceback";

/** Goes to a line of the cell that has run under a number, where there are cells to go to. */
export const GoToLine = createContext<((count: number, line: number) => void) | undefined>(undefined);

/** Saves all that a cell has put out as a file, also what was more than it may; where that can be had. */
export const SaveAll = createContext<(() => Promise<void>) | undefined>(undefined);

const longText = 12000;

export const Outputs = memo(function Outputs({ outputs, name, load }: {
  outputs: Output[]; name?: string;
  /** Gets what did not come by itself: all of it, or what is shown at once. */
  load?: (isWhole: boolean) => Promise<void>;
}) {
  const [wanted, setWanted] = useState<ReadonlySet<number>>(new Set());
  if (outputs.length === 0) return null;
  return <div className="outputs">{outputs.map((output, index) => {
    const omitted = omittedOf(output);
    // All outputs come at once, and only what somebody wanted to see is shown as a whole.
    return (
      <OutputPlace.Provider key={index} value={index}>
        {omitted ? <OutputPreview about={omitted} name={name} load={load} onWanted={() => setWanted((all) => new Set(all).add(index))} />
          : <One output={output} name={name} isWhole={wanted.has(index)} />}
      </OutputPlace.Provider>
    );
  })}</div>;
}, (before, after) => before.outputs === after.outputs && before.name === after.name);

const One = memo(function One({ output, name, isWhole }: { output: Output; name?: string; isWhole?: boolean }) {
  switch (output.output_type) {
    case "stream": return <Text text={joined(output.text)} isError={output.name === "stderr"} isWanted={isWhole} />;
    case "error": return <Traceback name={output.ename} value={output.evalue} lines={output.traceback} />;
    default: return <Rich bundle={output.data} name={name} />;
  }
});

/** The start and the end of a text that is too long to be shown at once. */
export function foldedText(text: string): { head: string; tail: string } | undefined {
  return text.length > longText ? { head: text.slice(0, longText / 4), tail: text.slice(-longText / 2) } : undefined;
}

/** The start and the end of what is long: the middle is shown when it is wanted. */
function Text({ text, isError, isWanted }: { text: string; isError?: boolean; isWanted?: boolean }) {
  const [isOpen, setWhole] = useState(false);
  const isWhole = isOpen || isWanted === true;
  const folded = foldedText(text);
  return (
    <div className={isError ? "text-output error-stream" : "text-output"}>
      <pre tabIndex={folded ? 0 : undefined}><Ansi text={folded && !isWhole ? folded.head : text} /></pre>
      {folded && !isWhole && <>
        <div className="fold"><Button isSmall onClick={() => setWhole(true)}>Show all {text.length.toLocaleString()} characters</Button></div>
        <pre><Ansi text={folded.tail} /></pre>
      </>}
    </div>
  );
}

function Traceback({ name, value, lines }: { name: string; value: string; lines: string[] }) {
  const [isOpen, setOpen] = useState(false);
  const own = ownLines(lines);
  return (
    <div className="traceback" role="group" aria-label={`Error: ${name}`}>
      <div className="traceback-head">
        <Icon name="alert" size={16} />
        <div className="grow"><strong>{name}</strong>{value && <>: <span className="traceback-value">{plain(value)}</span></>}</div>
        {lines.length > 0 && (
          <Button isSmall tone="quiet" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>{isOpen ? "Fold" : "Traceback"}</Button>
        )}
      </div>
      {own.length > 0 && <pre className="traceback-own">{own.map((line, index) => <OwnLine key={index} text={line} />)}</pre>}
      {isOpen && <pre tabIndex={0}><Ansi text={lines.join("\n")} /></pre>}
    </div>
  );
}

/** A line of the user's own in a traceback; the place in a cell that it names is a way there. */
function OwnLine({ text }: { text: string }) {
  const goToLine = useContext(GoToLine);
  const place = /Cell In\[(\d+)\], line (\d+)/.exec(text);
  if (!place || !goToLine) return <>{text}{"\n"}</>;
  return (
    <>
      {text.slice(0, place.index)}
      <button type="button" className="link" onClick={() => goToLine(Number(place[1]), Number(place[2]))}>{place[0]}</button>
      {text.slice(place.index + place[0].length)}{"\n"}
    </>
  );
}

const pictures = ["image/png", "image/jpeg", "image/gif", "image/webp"];

function Rich({ bundle, name }: { bundle: Bundle; name?: string }) {
  if (exitType in bundle) return <Exit value={bundle[exitType]} />;
  if (truncatedType in bundle) return <Cut text={joined(bundle[truncatedType])} />;
  const table = tableOf(bundle);
  if (table) return <TableOutput table={table} name={name} />;
  // Computer algebra puts out a picture of its formula as well.
  if (bundle["text/latex"] && !bundle["text/html"]) return <Latex text={joined(bundle["text/latex"])} />;
  const picture = pictures.find((type) => typeof bundle[type] === "string" || Array.isArray(bundle[type]));
  if (picture) return <Picture type={picture} data={joined(bundle[picture])} alternative={joined(bundle["text/plain"])} name={name} />;
  if (bundle["image/svg+xml"]) return <Frame html={joined(bundle["image/svg+xml"])} />;
  if (bundle["text/html"]) return <Frame html={joined(bundle["text/html"])} />;
  if (bundle["text/markdown"]) return <Markdown text={joined(bundle["text/markdown"])} />;
  if (bundle["application/json"] !== undefined) return <Text text={JSON.stringify(bundle["application/json"], null, 2)} />;
  return <Text text={joined(bundle["text/plain"])} />;
}

/** Says that there was more, and leads to it. */
function Cut({ text }: { text: string }) {
  const saveAll = useContext(SaveAll);
  const [isBusy, setBusy] = useState(false);
  const get = () => { setBusy(true); saveAll?.().catch(toastError).finally(() => setBusy(false)); };
  return (
    <div className="fold row wrap">
      <span className="soft">{text}</span>
      {saveAll && <Button isSmall icon="download" isBusy={isBusy} onClick={get}>Save all of it as a file</Button>}
    </div>
  );
}

function Exit({ value }: { value: unknown }) {
  const text = typeof value === "string" ? value : JSON.stringify((value as { value?: unknown })?.value ?? value);
  return <div className="exit"><Icon name="out" size={15} /><span>The notebook ended here with</span> <code className="truncate">{text || "no value"}</code></div>;
}

function Picture({ type, data, alternative, name }: { type: string; data: string; alternative: string; name?: string }) {
  const address = `data:${type};base64,${data.replace(/\s/g, "")}`;
  const ending = type.slice("image/".length);
  const download = () => save(`${name ?? "picture"}.${ending}`, type, Uint8Array.from(atob(data.replace(/\s/g, "")), (one) => one.charCodeAt(0)));
  return (
    <div className="picture">
      <img src={address} alt={alternative && !alternative.startsWith("<") ? alternative : "Picture that the cell put out"} />
      <Button isSmall tone="quiet" icon="download" aria-label="Save the picture" onClick={download} />
    </div>
  );
}

/** HTML of a notebook, in a frame that is an origin of its own: it gets neither at the page nor at the network. */
function Frame({ html }: { html: string }) {
  const frame = useRef<HTMLIFrameElement>(null);
  const [height, setHeight] = useState(60);
  const [isReady, setReady] = useState(false);
  const [theme] = useTheme();
  useEffect(() => {
    const listen = (event: MessageEvent) => {
      if (event.source !== frame.current?.contentWindow) return;
      if (event.data?.outputReady) setReady(true);
      const wanted = Number(event.data?.outputHeight);
      if (wanted > 0) setHeight(Math.min(Math.ceil(wanted), 4000));
    };
    addEventListener("message", listen);
    return () => removeEventListener("message", listen);
  }, []);
  useEffect(() => {
    if (isReady) frame.current?.contentWindow?.postMessage({ html, theme }, "*");
  }, [isReady, html, theme]);
  return <iframe ref={frame} className="output-frame" title="HTML that the cell put out" sandbox="allow-scripts" src="/output-frame"
    style={{ height }} loading="lazy" />;
}
