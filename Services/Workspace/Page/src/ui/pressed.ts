// What a click does comes after what it has made lose the keyboard. Whoever acts on the latter and would be in the way of the
// former waits until it has happened.
let isDown = false;
let waiting: Array<() => void> = [];

function ended(): void {
  isDown = false;
  // The click of this release comes before.
  const all = waiting;
  waiting = [];
  setTimeout(() => { for (const one of all) one(); });
}

addEventListener("pointerdown", () => { isDown = true; }, true);
for (const name of ["pointerup", "pointercancel"] as const) addEventListener(name, ended, true);
// Released elsewhere. Fields that lose the keyboard tell of it as well, further down.
addEventListener("blur", (event) => { if (event.target === window) ended(); });
// A release over a list of the system's own is not told.
addEventListener("pointermove", (event) => { if (isDown && event.buttons === 0) ended(); }, true);

/** Waits until nothing is pressed, and what was clicked by its release has been done. */
export function released(): Promise<void> {
  return new Promise((resolve) => { if (isDown) waiting.push(resolve); else setTimeout(resolve); });
}
