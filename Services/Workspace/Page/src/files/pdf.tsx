// A PDF, page by page. It comes by ranges, so that the first page of a large one does not wait for the last, and nothing
// in it is run.
import { useEffect, useRef, useState } from "react";
import { Document, GlobalWorkerOptions, RenderTask, getDocument } from "pdfjs-dist/build/pdf.js";
import worker from "pdfjs-dist/build/pdf.worker.js";
import { Button, Card, Loading, Note } from "../ui/parts";

// Beside this module, under a name of its content.
GlobalWorkerOptions.workerSrc = new URL(worker, import.meta.url).href;

/** More would be a picture of hundreds of megabytes for a page the size of a poster. */
const mostPixels = 16_000_000;

const problems: Record<string, string> = {
  PasswordException: "It asks for a password, which is not given here. Download it and open it with one.",
  InvalidPDFException: "This is no PDF, or it is damaged. Download it and look at it elsewhere.",
};

function reason(error: unknown): string {
  const { name = "", message = "" } = (error ?? {}) as Partial<Error>;
  return problems[name] ?? `It cannot be shown: ${message || name}. Download it to open it elsewhere.`;
}

export default function PdfView({ address, name }: { address: string; name: string }) {
  const [document, setDocument] = useState<Document | null>(null);
  const [number, setNumber] = useState(1);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    setDocument(null);
    setNumber(1);
    setProblem(null);
    let isLeft = false;
    const task = getDocument({ url: address, isEvalSupported: false, disableAutoFetch: true, disableStream: true, enableXfa: false });
    task.promise.then(
      (opened) => { if (!isLeft) setDocument(opened); },
      (error) => { if (!isLeft) setProblem(reason(error)); },
    );
    return () => {
      isLeft = true;
      void task.destroy();
    };
  }, [address]);
  if (problem) return <Note tone="warn">{problem}</Note>;
  if (!document) return <Card isFlush><Loading lines={12} /></Card>;
  const pages = document.numPages;
  return (
    <Card title={`Page ${number} of ${pages}`} actions={pages > 1 && <>
      <Button isSmall disabled={number <= 1} onClick={() => setNumber(number - 1)}>Previous page</Button>
      <Button isSmall disabled={number >= pages} onClick={() => setNumber(number + 1)}>Next page</Button></>}>
      <PdfPage document={document} number={number} name={name} fail={(error) => setProblem(reason(error))} />
    </Card>
  );
}

function PdfPage({ document, number, name, fail }: {
  document: Document; number: number; name: string; fail: (error: unknown) => void;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [text, setText] = useState("");
  useEffect(() => {
    let isLeft = false;
    let drawing: RenderTask | undefined;
    const draw = async () => {
      const page = await document.getPage(number);
      const target = canvas.current;
      if (isLeft || !target) return;
      const size = page.getViewport({ scale: 1 });
      // As wide as there is room, and as sharp as the screen.
      const room = (target.parentElement?.clientWidth ?? 800) * window.devicePixelRatio;
      const limit = Math.sqrt(mostPixels / (size.width * size.height));
      const viewport = page.getViewport({ scale: Math.min(room / size.width, 3 * window.devicePixelRatio, limit) });
      target.width = Math.floor(viewport.width);
      target.height = Math.floor(viewport.height);
      const canvasContext = target.getContext("2d");
      if (!canvasContext) throw new Error("the browser gave no canvas to draw on");
      drawing = page.render({ canvasContext, viewport });
      await drawing.promise;
      const content = await page.getTextContent();
      if (!isLeft) setText(content.items.map((item) => (item.str ?? "") + (item.hasEOL ? "\n" : "")).join(""));
    };
    draw().catch((error) => { if (!isLeft) fail(error); });
    return () => {
      isLeft = true;
      drawing?.cancel();
    };
    // `fail` is new with each drawing and means the same.
  }, [document, number]);
  return (
    <>
      <canvas ref={canvas} className="pdf-page" role="img" aria-label={`${name}, page ${number}`} />
      <p className="visually-hidden">{text}</p>
    </>
  );
}
