// As much of KaTeX as is used here; Debian has no types for it.
declare module "katex/katex.mjs" {
  interface Options {
    displayMode: boolean; throwOnError: boolean; errorColor: string; strict: "ignore"; trust: boolean; maxExpand: number; maxSize: number;
    macros?: Record<string, unknown>;
  }
  const katex: { render(tex: string, element: HTMLElement, options: Options): void };
  export default katex;
}
