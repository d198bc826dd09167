// A plain field for code: what can be written into at once, while Monaco is on its way; where it cannot be loaded; and on
// touch screens, for which Monaco is not made.
import { KeyboardEvent, useEffect, useLayoutEffect, useRef } from "react";
import { EditorProps, Standing, isPressed } from "./editing";

export interface PlainProps extends EditorProps {
  /** Is given what to keep, when this editor is about to go. */
  onLeave: (standing: Standing) => void;
}

export default function PlainEditor({ value, label, language, onChange, onSelect, actions, shape, takesFocus, at, cursor, onLeave }: PlainProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => {
    const one = field.current;
    if (!one) return undefined;
    if (takesFocus) {
      const first = Math.min(cursor?.offset ?? Infinity, one.value.length);
      one.focus();
      one.setSelectionRange(first, first);
    }
    // While it is still in the document: afterwards nobody has the focus.
    return () => onLeave({ text: one.value, start: one.selectionStart, end: one.selectionEnd, hasFocus: document.activeElement === one });
  }, []);
  useLayoutEffect(() => {
    const one = field.current;
    if (!one || shape === "page") return;
    one.style.height = "auto";
    one.style.height = `${one.scrollHeight}px`;
  }, [value, shape]);

  useEffect(() => {
    const one = field.current;
    if (!one || !at) return;
    const lines = one.value.split("\n");
    const start = lines.slice(0, at.line - 1).reduce((sum, line) => sum + line.length + 1, 0);
    one.focus();
    one.setSelectionRange(Math.min(start, one.value.length), Math.min(start + (lines[at.line - 1]?.length ?? 0), one.value.length));
  }, [at]);

  const pressed = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    const one = event.currentTarget;
    if (event.nativeEvent.isComposing) return;
    const [start, end] = [one.selectionStart, one.selectionEnd];
    for (const action of actions) {
      if (!action.keys.some((key) => isPressed(event.nativeEvent, key))) continue;
      if (action.where && (start !== end || start !== (action.where === "start" ? 0 : one.value.length))) continue;
      event.preventDefault();
      event.stopPropagation();
      action.run({ text: one.value, offset: start, selection: one.value.slice(start, end) });
      return;
    }
    if (event.key === "Tab" && !event.ctrlKey && !event.altKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      one.setRangeText("    ", start, end, "end");
      onChange(one.value);
    }
  };
  return (
    <textarea ref={field} className={shape === "page" ? "plain-editor editor-page" : "plain-editor"} aria-label={label} value={value} rows={1}
      spellCheck={language === "md"} autoCapitalize="off" autoCorrect="off" autoComplete="off" wrap={language === "md" ? "soft" : "off"}
      onChange={(event) => onChange(event.target.value)} onKeyDown={pressed}
      onSelect={(event) => {
        const { value: text, selectionStart, selectionEnd } = event.currentTarget;
        if (cursor) cursor.offset = selectionStart;
        onSelect?.(text.slice(selectionStart, selectionEnd));
      }} />
  );
}
