// A formula, drawn by KaTeX. It comes when the first one is to be shown, and until then the formula is there as it was written.
import { createContext, memo, useContext, useEffect, useLayoutEffect, useRef, useState } from "react";
import { type Formula, lifted, markPattern } from "./formulas";

/** Where the build has put its style sheet and fonts. */
declare const KATEX_FOLDER: string;

type Katex = typeof import("katex/katex.mjs")["default"];
let katex: Katex | undefined;
let loading: Promise<void> | undefined;

/** Asked for again after a failure, it tries again. */
function load(): Promise<void> {
  loading ??= Promise.all([import("katex/katex.mjs"), addStyles(`/assets/${KATEX_FOLDER}/katex.css`)])
    .then(([module]) => { katex = module.default; })
    .catch((error: unknown) => { loading = undefined; throw error; });
  return loading;
}

function addStyles(address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = address;
    link.addEventListener("load", () => resolve());
    link.addEventListener("error", () => { link.remove(); reject(new Error("The style of formulas could not be loaded.")); });
    document.head.append(link);
  });
}

/** Draws into an element of its own; answers what is wrong with the formula. It gets neither at links nor at files. */
function draw({ tex, isBlock }: Formula, element: HTMLElement): string | undefined {
  try {
    katex?.render(tex, element, {
      displayMode: isBlock, throwOnError: false, errorColor: "var(--bad)", strict: "ignore", trust: false, maxExpand: 1000, maxSize: 50,
    });
    const wrong = element.querySelector<HTMLElement>(".katex-error");
    return wrong ? wrong.title.replace(/^ParseError: KaTeX parse error: /, "") : undefined;
  } catch (error) {
    // Such as what is nested deeper than the browser can follow.
    return error instanceof Error ? error.message : String(error);
  }
}

const Drawn = memo(function Drawn({ formula }: { formula: Formula }) {
  const element = useRef<HTMLSpanElement>(null);
  const [state, setState] = useState<{ isDrawn: boolean; problem?: string }>({ isDrawn: false });
  useLayoutEffect(() => {
    let isLeft = false;
    const show = () => {
      if (isLeft || !element.current) return;
      const problem = draw(formula, element.current);
      if (problem !== undefined) element.current.replaceChildren();
      setState({ isDrawn: problem === undefined, problem });
    };
    if (katex) show();
    else load().then(show, (error: unknown) => { if (!isLeft) setState({ isDrawn: false, problem: String(error) }); });
    return () => { isLeft = true; };
  }, [formula.tex, formula.isBlock]);
  useEffect(() => {
    const [drawn, around] = [element.current, element.current?.parentElement];
    if (!drawn || !around || !formula.isBlock) return undefined;
    // Told when it is laid out, when its fonts have come, and when there is another width for it.
    const sizes = new ResizeObserver(() => {
      if (around.scrollWidth > around.clientWidth) around.setAttribute("tabindex", "0");
      else around.removeAttribute("tabindex");
    });
    sizes.observe(drawn);
    sizes.observe(around);
    return () => sizes.disconnect();
  }, [formula.isBlock]);
  return (
    <span className={formula.isBlock ? "formula block" : "formula"} role={formula.isBlock ? "group" : undefined}
      aria-label={formula.isBlock ? "Formula" : undefined}>
      <span ref={element} />
      {!state.isDrawn && (
        <code className={state.problem === undefined ? "formula-source" : "formula-source wrong"} title={state.problem}>
          {formula.source}{state.problem !== undefined && <span className="visually-hidden"> (a formula that cannot be shown: {state.problem})</span>}
        </code>
      )}
    </span>
  );
});

/** The formulas that were taken out of the text around. */
export const Formulas = createContext<Formula[]>([]);

/** What stands where a formula was taken out of a text. */
export function Lifted({ mark, number }: { mark: string; number: number }) {
  const formula = useContext(Formulas)[number];
  return formula ? <Drawn formula={formula} /> : <>{mark}</>;
}

/** Text of LaTeX as Jupyter shows it: its formulas, and what is around them as it is. */
export function Latex({ text }: { text: string }) {
  const { text: rest, formulas } = lifted(text);
  const parts = rest.split(new RegExp(markPattern));
  return (
    <Formulas.Provider value={formulas}>
      <div className="md with-formulas latex"><p>{parts.map((part, index) => index % 2 === 0 ? part : <Lifted key={index} mark={part} number={Number(part)} />)}</p></div>
    </Formulas.Provider>
  );
}
