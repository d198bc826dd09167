// Monaco as the editor of a cell or of a page.
import { MutableRefObject, useEffect, useRef } from "react";
import type { EditorProps, Standing } from "../editing";
import { CodeEditor } from "./code-editor";

export { load } from "./load";

export function MonacoEditor(props: EditorProps & { standing: MutableRefObject<Standing | undefined> }) {
  const place = useRef<HTMLDivElement>(null);
  const editor = useRef<CodeEditor>();
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => {
    if (!place.current) return undefined;
    const made = new CodeEditor(place.current, () => latest.current, latest.current.standing.current);
    latest.current.standing.current = undefined;
    editor.current = made;
    return () => { editor.current = undefined; made.close(); };
  }, []);
  useEffect(() => { editor.current?.setText(props.value); }, [props.value]);
  useEffect(() => { editor.current?.setLanguage(props.language); }, [props.language]);
  useEffect(() => { if (props.at) editor.current?.goTo(props.at.line); }, [props.at]);
  return <div ref={place} className={props.shape === "page" ? "editor editor-page" : "editor"} />;
}
