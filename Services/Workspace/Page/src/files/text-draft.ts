// What is typed in a text file and not saved: kept in the browser, and there again when the file is opened.
import { useEffect, useMemo, useRef, useState } from "react";
import type { ObjectInfo } from "../api/generated/contract";
import { guardLeaving, navigate, treeAddress } from "../app/router";
import { useSession } from "../app/session";
import type { Found } from "../drafts/shelf";
import { Keeper, edits, leftDrafts } from "../drafts/unsaved";
import { toast, toastError } from "../ui/toast";

/** What was typed, on top of which revision. */
export interface FileDraft {
  /** Each with a mere line feed at its end. */
  lines: string;
  base: number | undefined;
  /** Whether the file's lines end as those of Windows. */
  isWindows?: boolean;
}

/** The lines as the file is to have them. */
export function endedAs(lines: string, isWindows: boolean | undefined): string { return isWindows ? lines.replaceAll("\n", "\r\n") : lines; }

const placeOf = (user: string, object: ObjectInfo) => ({ user, kind: "file" as const, id: String(object.object_id) });

/** What was typed here in a file earlier, and not saved: the newest, for a file is one text; null without any, undefined while it is looked for. */
export function useLeftDraft(object: ObjectInfo): Found<FileDraft> | null | undefined {
  const { session: { user_name: user } } = useSession();
  const [draft, setDraft] = useState<Found<FileDraft> | null>();
  const [first] = useState(object);
  useEffect(() => {
    leftDrafts<FileDraft>(placeOf(user, first)).then((found) => setDraft(found[found.length - 1] ?? null), (error: unknown) => {
      setDraft(null);
      toastError(error);
    });
  }, [user, first]);
  return draft;
}

/** Keeps what is typed, tells when its user goes elsewhere, and asks only where the browser could not keep it. */
export function useUnsaved(
  object: ObjectInfo, draft: Found<FileDraft> | undefined, latest: { readonly current: { text: string; saved: string } },
  revision: { readonly current: number | undefined }, isWindows: boolean, save: () => Promise<boolean>
): Keeper<FileDraft> {
  const { session: { user_name: user } } = useSession();
  const keeper = useMemo(() => new Keeper<FileDraft>(placeOf(user, object), () => {
    const { text, saved } = latest.current;
    return text === saved ? undefined : { path: object.path, content: { lines: text, base: revision.current, isWindows } };
  }), [user, object, latest, revision, isWindows]);
  const saving = useRef(save);
  saving.current = save;
  useEffect(() => {
    const name = object.path.split("/").pop() ?? object.path;
    const isDirty = () => latest.current.text !== latest.current.saved;
    const hide = () => { if (isDirty()) keeper.now(); };
    const ask = (event: BeforeUnloadEvent) => {
      hide();
      if (isDirty() && !keeper.isKept) event.preventDefault();
    };
    keeper.open();
    keeper.adopt(draft ? [draft.key] : []);
    const done = edits({ name, isDirty, save: () => saving.current(), savesItself: false, keep: keeper.now });
    const unguard = guardLeaving(() => { hide(); return keeper.isKept || confirm(`${name} has changes that are not saved. Leave them?`); });
    addEventListener("beforeunload", ask);
    addEventListener("pagehide", hide);
    document.addEventListener("visibilitychange", hide);
    return () => {
      document.removeEventListener("visibilitychange", hide);
      removeEventListener("pagehide", hide);
      removeEventListener("beforeunload", ask);
      unguard();
      done();
      hide();
      keeper.close();
      if (!isDirty()) return;
      toast(keeper.isKept ? `What you typed in ${name} is not saved yet. This browser keeps it.` : `What you typed in ${name} was too long to be kept and is lost.`,
        keeper.isKept ? "plain" : "bad", { text: "Go back", run: () => navigate(treeAddress(object.path)) });
    };
  }, [keeper, object, draft, latest]);
  return keeper;
}
