// The editor of one cell: CodeMirror 5, loaded when something is edited for the first time.
import { useEffect, useRef } from "react";
import CodeMirror, { Editor as Instance } from "codemirror";
import "codemirror/mode/python/python";
import "codemirror/mode/sql/sql";
import "codemirror/mode/shell/shell";
import "codemirror/mode/markdown/markdown";
import "codemirror/addon/edit/matchbrackets";
import "codemirror/addon/edit/closebrackets";
import "codemirror/addon/comment/comment";
import { Assist, Assistant } from "./assist";

/**
 * CodeMirror reads what was typed into the document some 80 ms later; whoever acts on the text has it read now.
 * Version 5 has no public call for it.
 */
function flush(editor: Instance): void {
  const input = (editor as unknown as { display?: { input?: { pollContent?: () => unknown } } }).display?.input;
  if (input?.pollContent) editor.operation(() => { input.pollContent?.(); });
}

const modes: Record<string, string> = { python: "python", sql: "text/x-sparksql", sh: "shell", md: "markdown", pip: "shell" };

export interface EditorProps {
  value: string;
  language: string;
  label: string;
  onChange: (text: string) => void;
  /** Hears what is selected, when that changes; empty when nothing is. */
  onSelect?: (text: string) => void;
  /** Who knows how names go on, where anybody does. */
  assistant?: Assistant;
  /** What keys do besides editing, by CodeMirror's names. */
  keys: Record<string, (editor: Instance) => unknown>;
  /** Where the cursor is put at first. */
  at?: "start" | "end";
}

export default function Editor({ value, language, label, onChange, onSelect, assistant, keys, at }: EditorProps) {
  const place = useRef<HTMLDivElement>(null);
  const editor = useRef<Instance>();
  const changed = useRef(onChange);
  changed.current = onChange;
  const selected = useRef(onSelect);
  selected.current = onSelect;
  const helper = useRef(assistant);
  helper.current = assistant;
  const actions = useRef(keys);
  actions.current = keys;

  useEffect(() => {
    if (!place.current) return undefined;
    const names = Object.keys(actions.current);
    const made = CodeMirror(place.current, {
      value, mode: modes[language] ?? null, lineNumbers: false, indentUnit: 4, viewportMargin: Infinity, lineWrapping: language === "md",
      matchBrackets: true, autoCloseBrackets: true, inputStyle: "contenteditable", spellcheck: language === "md",
      screenReaderLabel: label, theme: "harbour",
      extraKeys: {
        Tab: (one: Instance) => { flush(one); assist.tab(); },
        "Shift-Tab": (one: Instance) => { flush(one); assist.shiftTab(); },
        "Ctrl-Space": (one: Instance) => { flush(one); assist.complete(); },
        "Ctrl-/": "toggleComment", "Cmd-/": "toggleComment",
        ...Object.fromEntries(names.map((name) => [name, (one: Instance) => {
          flush(one);
          // The event of the change comes only after the key has been dealt with.
          changed.current(one.getValue());
          selected.current?.(one.getSelection());
          const result = actions.current[name]?.(one);
          return result === "pass" ? CodeMirror.Pass : undefined;
        }])),
      },
    });
    editor.current = made;
    const assist = new Assist(made, () => helper.current);
    made.on("blur", () => flush(made));
    made.on("change", () => changed.current(made.getValue()));
    made.on("cursorActivity", () => selected.current?.(made.getSelection()));
    const field = made.getInputField();
    field.setAttribute("aria-label", label);
    field.setAttribute("role", "textbox");
    field.setAttribute("aria-multiline", "true");
    const last = made.lineCount() - 1;
    made.setCursor(at === "start" ? { line: 0, ch: 0 } : { line: last, ch: made.getLine(last).length });
    made.focus();
    const node = place.current;
    return () => { assist.close(); node.replaceChildren(); editor.current = undefined; };
    // The editor is made once; what changes later is put into it below.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  useEffect(() => {
    const one = editor.current;
    if (one && one.getValue() !== value) {
      const cursor = one.getCursor();
      one.setValue(value);
      one.setCursor(cursor);
    }
  }, [value]);
  useEffect(() => { editor.current?.setOption("mode", modes[language] ?? null); }, [language]);

  return <div ref={place} className="editor" />;
}
