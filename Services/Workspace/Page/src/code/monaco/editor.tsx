// Monaco as the editor of a cell or of a page.
import { MutableRefObject, useLayoutEffect, useRef } from "react";
import type { EditorProps, Standing } from "../editing";
import { CodeEditor } from "./code-editor";

export { load } from "./load";

export function MonacoEditor(props: EditorProps & { standing: MutableRefObject<Standing | undefined> }) {
  const place = useRef<HTMLDivElement>(null);
  const editor = useRef<CodeEditor>();
  const latest = useRef(props);
  latest.current = props;
  const followed = useRef<EditorProps["at"]>();
  // All before the browser hears of the next key: it would go nowhere between the plain field and Monaco.
  useLayoutEffect(() => {
    if (!place.current) return undefined;
    const stood = latest.current.standing.current;
    // The plain field has gone there already, and its user may have gone on.
    if (stood) followed.current = latest.current.at;
    const made = new CodeEditor(place.current, () => latest.current, stood);
    latest.current.standing.current = undefined;
    editor.current = made;
    return () => { editor.current = undefined; made.close(); };
  }, []);
  useLayoutEffect(() => { editor.current?.setText(props.value); }, [props.value]);
  useLayoutEffect(() => { editor.current?.setLanguage(props.language); }, [props.language]);
  useLayoutEffect(() => {
    if (!props.at || props.at === followed.current) return;
    followed.current = props.at;
    editor.current?.goTo(props.at.line);
  }, [props.at]);
  return <div ref={place} className={props.shape === "page" ? "editor editor-page" : "editor"} />;
}
