// An editor: a plain field at once, in whose place Monaco comes when it has been loaded. Nothing that is typed is lost.
import { useEffect, useRef, useState } from "react";
import type { EditorProps, Standing } from "./editing";
import PlainEditor from "./plain";

type Loaded = typeof import("./monaco/editor");
let loaded: Loaded | undefined;

/** Monaco is made for a keyboard and a pointer that is one point. */
const isForTouch = () => matchMedia("(hover: none) and (pointer: coarse)").matches;

export default function Editor(props: EditorProps) {
  const [monaco, setMonaco] = useState(() => loaded);
  const standing = useRef<Standing>();
  const isComposing = useRef(false);
  useEffect(() => {
    if (monaco || isForTouch()) return undefined;
    let isGone = false;
    const swap = (one: Loaded) => {
      if (isGone) return;
      // A letter that is being composed would be broken off.
      if (isComposing.current) addEventListener("compositionend", () => swap(one), { once: true });
      else setMonaco(one);
    };
    import("./monaco/editor").then(async (one) => {
      await one.load();
      loaded = one;
      swap(one);
      // Without it the plain field stays, and the next editor tries again.
    }).catch((error: unknown) => { console.warn("The editor could not be loaded.", error); });
    return () => { isGone = true; };
  }, [monaco]);
  if (monaco) return <monaco.MonacoEditor {...props} standing={standing} />;
  return (
    <div className="editor" onCompositionStart={() => { isComposing.current = true; }} onCompositionEnd={() => { isComposing.current = false; }}>
      <PlainEditor {...props} onLeave={(one) => { standing.current = one; }} />
    </div>
  );
}
