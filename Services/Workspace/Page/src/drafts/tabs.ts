// Which tabs there are: what another tab still has open is that tab's to save.
import { tabID } from "../api/live";

const nameOf = (tab: string) => `harbour.tab/${tab}`;

/** A lock that this tab holds for as long as it lives; browsers have none for pages that came over an open network. */
export function beATab(): void {
  void navigator.locks?.request(nameOf(tabID), () => new Promise<void>((leave) => {
    // A page that is loaded again looks for the drafts of the one before, whose lock may be let go of later than that.
    addEventListener("pagehide", () => leave(), { once: true });
  }));
}

// What is shown again as it was left is a tab again.
addEventListener("pageshow", (event) => { if (event.persisted) beATab(); });

/** The tabs of this browser other than this one. Where that cannot be known there are none: what both save comes together. */
export async function otherTabs(): Promise<Set<string>> {
  const held = (await navigator.locks?.query())?.held ?? [];
  return new Set(held.flatMap(({ name }) => name?.startsWith(nameOf("")) && name !== nameOf(tabID) ? [name.slice(nameOf("").length)] : []));
}
