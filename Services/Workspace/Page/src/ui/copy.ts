import { toast, toastError } from "./toast";

/** Puts a text where its user can paste it elsewhere. */
export function copyText(text: string, said = "Copied."): void {
  put(text).then(() => toast(said), toastError);
}

async function put(text: string): Promise<void> {
  // Pages that came over plain HTTP from another machine have none, but may copy what is selected.
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const before = document.activeElement;
  const field = document.createElement("textarea");
  field.className = "visually-hidden";
  field.value = text;
  // Nothing outside of a dialog can be selected while one is open.
  ([...document.querySelectorAll("dialog[open]")].pop() ?? document.body).append(field);
  field.select();
  const isDone = document.execCommand("copy");
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  if (!isDone) throw new Error("The browser does not let the page copy here. Select the text and copy it.");
}
