// A button that opens a menu: https://www.w3.org/WAI/ARIA/apg/patterns/menu-button/
import { KeyboardEvent, useEffect, useRef, useState } from "react";
import { navigate } from "../app/router";
import { Icon, IconName } from "./icons";
import { released } from "./pressed";

export interface MenuItem {
  text: string;
  icon?: IconName;
  isDisabled?: boolean;
  /** Of a choice among several: whether it is the one. */
  isChosen?: boolean;
  /** What it does; or where it leads: `to` an address of the page, `href` to a file that the browser saves. */
  run?: () => void;
  to?: string;
  href?: string;
}

let open = 0;
const waiting: Array<() => void> = [];

/** Waits until no menu is open, and what was chosen in it, or clicked beside it, has been done. */
export async function menusClosed(): Promise<void> {
  while (open > 0) {
    await new Promise<void>((resolve) => { waiting.push(resolve); });
    await released();
  }
}

function closed(): void {
  open -= 1;
  for (const one of waiting.splice(0)) one();
}

export function Menu({ label, items }: { label: string; items: MenuItem[] }) {
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const close = (isBack: boolean) => { setOpen(false); if (isBack) button.current?.focus(); };

  useEffect(() => {
    if (!isOpen) return undefined;
    open += 1;
    enabled(list.current)[0]?.focus();
    const outside = (event: PointerEvent) => {
      if (!(event.target instanceof Node && (list.current?.contains(event.target) || button.current?.contains(event.target)))) setOpen(false);
    };
    addEventListener("pointerdown", outside);
    return () => {
      removeEventListener("pointerdown", outside);
      closed();
    };
  }, [isOpen]);

  const pressed = (event: KeyboardEvent) => {
    const all = enabled(list.current);
    const at = all.indexOf(document.activeElement as HTMLElement);
    const go = (to: number) => { all[(to + all.length) % all.length]?.focus(); };
    switch (event.key) {
      case "ArrowDown": go(at + 1); break;
      case "ArrowUp": go(at - 1); break;
      case "Home": go(0); break;
      case "End": go(-1); break;
      case "Escape": close(true); break;
      case "Tab": setOpen(false); return;
      default: {
        if (event.key.length !== 1) return;
        const next = [...all.slice(at + 1), ...all].find((one) => one.textContent?.toLowerCase().startsWith(event.key.toLowerCase()));
        next?.focus();
      }
    }
    event.preventDefault();
    // What is around has keys of its own.
    event.stopPropagation();
  };
  const choose = (item: MenuItem) => {
    close(true);
    if (item.to) navigate(item.to);
    else item.run?.();
  };
  return (
    <div className="menu-place">
      <button ref={button} type="button" className="button icon" aria-haspopup="menu" aria-expanded={isOpen} aria-label={label} title={label}
        onClick={() => setOpen(!isOpen)} onKeyDown={(event) => { if (event.key === "ArrowDown" && !isOpen) { event.preventDefault(); event.stopPropagation(); setOpen(true); } }}>
        <Icon name="more" size={17} />
      </button>
      {isOpen && (
        <div ref={list} className="menu" role="menu" aria-label={label} onKeyDown={pressed}>
          {items.map((item) => item.href
            ? <a key={item.text} role="menuitem" tabIndex={-1} href={item.href} download onClick={() => { close(true); item.run?.(); }}><Part item={item} /></a>
            : <button key={item.text} type="button" role={item.isChosen === undefined ? "menuitem" : "menuitemradio"} aria-checked={item.isChosen} tabIndex={-1} disabled={item.isDisabled} onClick={() => choose(item)}><Part item={item} /></button>)}
        </div>
      )}
    </div>
  );
}

function Part({ item }: { item: MenuItem }) {
  if (item.isChosen) return <><Icon name="check" size={16} /><span>{item.text}</span></>;
  return <>{item.icon ? <Icon name={item.icon} size={16} /> : <span />}<span>{item.text}</span></>;
}

function enabled(list: HTMLElement | null): HTMLElement[] {
  return [...list?.querySelectorAll<HTMLElement>("[role^=menuitem]:not(:disabled)") ?? []];
}
