// Where Monaco keeps the rules that it makes while it runs. It writes them into elements of style, which the policy of the
// page forbids; its two places that make one are made to make one of these, whose rules are a constructed style sheet.

/** An element that acts as one of style does for Monaco: what is written into it holds where it is, as long as it is there. */
export class StylesElement extends HTMLElement {
  readonly sheet = new CSSStyleSheet();
  private root: Document | ShadowRoot | undefined;

  connectedCallback(): void {
    const root = this.getRootNode();
    if (!(root instanceof Document || root instanceof ShadowRoot)) return;
    this.root = root;
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, this.sheet];
  }

  disconnectedCallback(): void {
    if (this.root) this.root.adoptedStyleSheets = this.root.adoptedStyleSheets.filter((one) => one !== this.sheet);
    this.root = undefined;
  }

  override set innerHTML(rules: string) { this.sheet.replaceSync(rules); }
  override set textContent(rules: string | null) { this.sheet.replaceSync(rules ?? ""); }
}

/** By this name what Monaco is finds it: `build/monaco.mjs` puts it there. */
export function defineStylesElement(): void {
  customElements.define("editor-styles", StylesElement);
  (globalThis as { HarbourStylesElement?: typeof StylesElement }).HarbourStylesElement = StylesElement;
}
