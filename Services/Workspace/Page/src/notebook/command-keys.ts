// The keys of a notebook, wherever in it the keyboard is and nothing else takes them.
import { type KeyboardEvent, useRef } from "react";
import { type Commands, commandOf } from "./keys";

/** Of two presses of one key within this many milliseconds, the second is another command. */
const twiceWithin = 600;

export function useCommandKeys(commands: Commands, onSave: () => void): (event: KeyboardEvent) => void {
  const pressed = useRef<{ key: string; time: number }>({ key: "", time: 0 });
  return (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if ((event.ctrlKey || event.metaKey) && event.key === "s") { event.preventDefault(); onSave(); return; }
    if (target.closest(".editor, .widgets, input, textarea, select, dialog, .data, iframe")) return;
    const isTwice = pressed.current.key === event.key && event.timeStamp - pressed.current.time < twiceWithin;
    const action = commandOf(event, isTwice, commands);
    pressed.current = isTwice ? { key: "", time: 0 } : { key: event.key, time: event.timeStamp };
    if (action) { event.preventDefault(); action(); }
  };
}
