// The notebook's parameters, over its cells: what is chosen here is everybody's, and what runs next goes by it.
import { KeyboardEvent, useCallback, useEffect, useId, useRef, useState } from "react";
import type { NotebookCommand, NotebookWidget } from "../api/generated/contract";
import { useSession } from "../app/session";
import { Icon } from "../ui/icons";
import { Menu, menusClosed } from "../ui/menu";
import { released } from "../ui/pressed";
import { toast, toastError } from "../ui/toast";
import { useOnChange } from "./on-change";
import type { Runner } from "./runner";

/** So many stay in sight while the cells scroll; more would leave them too little room. */
export const sticking = 6;

export function valueOf(widget: NotebookWidget): string { return widget.value ?? widget.default_value; }

/** Whether somebody has chosen something since a cell was last begun: what is shown is then of other values. */
function isChanged(widgets: NotebookWidget[], commands: Iterable<NotebookCommand>): boolean {
  let last: number | undefined;
  for (const one of commands) if (one.start_time !== undefined) last = Math.max(last ?? 0, one.start_time);
  return last !== undefined && widgets.some((one) => (one.changed_time ?? 0) > (last ?? 0));
}

export function Widgets({ runner, widgets, isReadOnly, notebookID, onRun }: {
  runner: Runner; widgets: NotebookWidget[]; isReadOnly: boolean; notebookID: number;
  /** Runs the cells that read a widget, or the whole notebook. */
  onRun: (name?: string) => void;
}) {
  const { session } = useSession();
  const [onChange, setOnChange] = useOnChange(session.user_name, notebookID);
  const isOld = isChanged(widgets, runner.commands.values());
  const place = useRef<HTMLElement>(null);
  const remove = (widget: NotebookWidget) => {
    const title = widget.label ?? widget.name;
    runner.changeWidgets({ removed: [widget.name] }).then(() => {
      toast(`The widget ${title} was removed.`, "plain", {
        text: "Undo", run: () => { runner.changeWidgets({ restored: [widget.name] }).catch(toastError); },
      });
      // What had the keyboard is gone.
      place.current?.focus({ preventScroll: true });
    }, toastError);
  };
  return (
    <section ref={place} tabIndex={-1} className="widgets" aria-label="Widgets">
      {widgets.map((one) => <Field key={one.name} widget={one} runner={runner} isReadOnly={isReadOnly} onRemove={() => remove(one)}
        onRun={onChange === "nothing" ? undefined : () => onRun(onChange === "cells" ? one.name : undefined)} />)}
      <div className="widgets-end">
        {!isReadOnly && <Menu label="When a value changes" items={[
          { text: "On change: do nothing", isChosen: onChange === "nothing", run: () => setOnChange("nothing") },
          { text: "On change: run the cells that read it", isChosen: onChange === "cells", run: () => setOnChange("cells") },
          { text: "On change: run the notebook", isChosen: onChange === "run", run: () => setOnChange("run") },
        ]} />}
        <div className="widgets-hint" role="status">{isOld && "Changed since the last run"}</div>
        {onChange !== "nothing" && !isOld && <span className="soft small">Runs on change</span>}
      </div>
    </section>
  );
}

function Field({ widget, runner, isReadOnly, onRemove, onRun }: {
  widget: NotebookWidget; runner: Runner; isReadOnly: boolean; onRemove: () => void; onRun: (() => void) | undefined;
}) {
  const id = useId();
  const title = widget.label ?? widget.name;
  const value = valueOf(widget);
  const { choose, settle } = useChoosing(runner, widget.name, onRun);
  const shown = { id, value, isReadOnly, choose, settle };
  return (
    <div className="widget">
      <div className="widget-head">
        <label htmlFor={id} className="truncate" title={widget.label ? `${widget.label} (${widget.name})` : widget.name}>{title}</label>
        {!isReadOnly && <Menu label={`More for ${title}`} items={[
          { text: "Back to the default", icon: "undo", isDisabled: value === widget.default_value, run: () => { choose(widget.default_value).catch(toastError); settle(); } },
          { text: "Remove", icon: "trash", run: onRemove },
        ]} />}
      </div>
      {widget.kind === "DROPDOWN" ? <Dropdown {...shown} choices={widget.choices ?? []} />
        : widget.kind === "MULTISELECT" ? <Several {...shown} title={title} choices={widget.choices ?? []} />
          : <Text {...shown} name={widget.name} runner={runner} choices={widget.kind === "COMBOBOX" ? widget.choices ?? [] : []} />}
    </div>
  );
}

/** Choosing a value, and saying that this was all: then, where its user wants that, the notebook runs, once for each change. */
function useChoosing(runner: Runner, name: string, onRun: (() => void) | undefined): Choosing {
  const wanted = useRef(onRun);
  wanted.current = onRun;
  /** What `asked` was when something was chosen that nothing has run with since. */
  const since = useRef<number>();
  const isHere = useRef(true);
  useEffect(() => {
    isHere.current = true;
    return () => { isHere.current = false; };
  }, []);
  const choose = useCallback(async (next: string, isForRun = false) => {
    if (!isForRun) since.current ??= runner.asked;
    try { await runner.changeWidgets({ values: { [name]: next } }); }
    catch (error) { since.current = undefined; throw error; }
  }, [runner, name]);
  const settle = useCallback(() => {
    const asked = since.current;
    since.current = undefined;
    if (asked === undefined || !wanted.current) return;
    // Whoever has left the field for a button, or for an entry of a menu, that runs or ends something has said what is to run.
    void released().then(menusClosed).then(() => { if (isHere.current && runner.asked === asked) wanted.current?.(); });
  }, [runner]);
  return { choose, settle };
}

interface Choosing { choose: (value: string, isForRun?: boolean) => Promise<void>; settle: () => void }
interface Shown extends Choosing { id: string; value: string; isReadOnly: boolean }

function Dropdown({ id, value, isReadOnly, choose, settle, choices }: Shown & { choices: string[] }) {
  return (
    <select id={id} className="input" value={value} disabled={isReadOnly} onChange={(event) => { choose(event.target.value).catch(toastError); settle(); }}>
      {!choices.includes(value) && <option value={value}>{value}</option>}
      {choices.map((one) => <option key={one} value={one}>{one === "" ? "(empty)" : one}</option>)}
    </select>
  );
}

/**
 * What is typed is kept when the field is left, by Enter, and before anything runs; Escape takes it back. Whoever has left only
 * the window, for a while, may not have typed all of it: it is kept, and settled by Enter or when the field is left.
 */
function Text({ id, value, isReadOnly, choose, settle, choices, name, runner }: Shown & { choices: string[]; name: string; runner: Runner }) {
  const [draft, setDraft] = useState<string>();
  const keep = useCallback(async (text: string, isForRun = false) => {
    if (text !== value) await choose(text, isForRun);
    setDraft((now) => now === text ? undefined : now);
  }, [value, choose]);
  const end = (text: string | undefined) => {
    if (text !== undefined) keep(text).catch(toastError);
    settle();
  };
  useEffect(() => {
    if (draft === undefined) return undefined;
    const save = () => keep(draft, true);
    const hide = () => { if (document.hidden) keep(draft).catch(toastError); };
    runner.drafts.set(name, save);
    document.addEventListener("visibilitychange", hide);
    return () => {
      if (runner.drafts.get(name) === save) runner.drafts.delete(name);
      document.removeEventListener("visibilitychange", hide);
    };
  }, [draft, keep, runner, name]);
  const pressed = (event: KeyboardEvent) => {
    if (event.key === "Enter") end(draft);
    if (event.key === "Escape") setDraft(undefined);
  };
  const left = () => {
    if (document.hasFocus()) end(draft);
    else if (draft !== undefined) keep(draft).catch(toastError);
  };
  const change = (text: string, isChosen: boolean) => {
    setDraft(text);
    if (isChosen) end(text);
  };
  return (
    <>
      <input id={id} className="input" type="text" autoComplete="off" spellCheck={false} maxLength={65536} value={draft ?? value} title={draft ?? value} disabled={isReadOnly}
        list={choices.length > 0 ? `${id}-choices` : undefined} onKeyDown={pressed} onBlur={left}
        onChange={(event) => change(event.target.value, choices.includes(event.target.value) && isFromList(event.nativeEvent))} />
      {choices.length > 0 && <datalist id={`${id}-choices`}>{choices.map((one) => <option key={one} value={one} />)}</datalist>}
    </>
  );
}

/** Of the list's proposals browsers say so, or nothing at all; of keys they say which kind of change it was. */
function isFromList(event: Event): boolean {
  return !(event instanceof InputEvent) || event.inputType === "" || event.inputType === "insertReplacementText";
}

/** The arrows go through the list; Tab leaves it, however long it is. */
function Several({ id, value, isReadOnly, choose, settle, choices, title }: Shown & { choices: string[]; title: string }) {
  const [isOpen, setOpen] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const chosen = value === "" ? [] : value.split(",");
  useEffect(() => {
    if (!isOpen) return undefined;
    place.current?.querySelector<HTMLElement>("input")?.focus();
    const outside = (event: Event) => { if (!(event.target instanceof Node && place.current?.contains(event.target))) setOpen(false); };
    addEventListener("pointerdown", outside);
    addEventListener("focusin", outside);
    return () => {
      removeEventListener("pointerdown", outside);
      removeEventListener("focusin", outside);
      // Several boxes are one change.
      settle();
    };
  }, [isOpen, settle]);
  const pressed = (event: KeyboardEvent) => {
    if (!isOpen) return;
    const all = [...place.current?.querySelectorAll<HTMLElement>("input") ?? []];
    const at = all.indexOf(document.activeElement as HTMLElement);
    if (event.key === "Escape") { setOpen(false); button.current?.focus(); }
    else if (event.key === "ArrowDown") all[(at + 1) % all.length]?.focus();
    else if (event.key === "ArrowUp") all[(at - 1 + all.length) % all.length]?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const toggle = (one: string) => {
    // In the order of the list, whatever was clicked first.
    const next = choices.filter((each) => each === one ? !chosen.includes(one) : chosen.includes(each));
    choose(next.join(",")).catch(toastError);
  };
  const text = chosen.length === 0 ? "None" : chosen.length <= 2 ? chosen.join(", ") : `${chosen.length} of ${choices.length}`;
  return (
    <div ref={place} className="several" onKeyDown={pressed}>
      <button ref={button} id={id} type="button" className="input" disabled={isReadOnly} aria-expanded={isOpen} aria-controls={isOpen ? `${id}-list` : undefined}
        aria-label={`${title}: ${text}`} onClick={() => setOpen(!isOpen)}>
        <span className="truncate">{text}</span><Icon name="chevronDown" size={13} />
      </button>
      {isOpen && (
        <div id={`${id}-list`} className="several-list" role="group" aria-label={title}>
          {choices.map((one) => <label key={one}><input type="checkbox" tabIndex={-1} checked={chosen.includes(one)} onChange={() => toggle(one)} /><span>{one}</span></label>)}
        </div>
      )}
    </div>
  );
}
