// The small parts that all pages are made of.
import { ButtonHTMLAttributes, ReactNode, useEffect, useId, useRef } from "react";
import { ApiError } from "../api/client";
import { Icon, IconName } from "./icons";
import { Link } from "../app/router";

type Tone = "good" | "bad" | "busy" | "warn" | "idle";

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon?: IconName;
  tone?: "primary" | "danger" | "quiet";
  isSmall?: boolean;
  isBusy?: boolean;
}

export function Button({ icon, tone, isSmall, isBusy, children, className, ...rest }: ButtonProps) {
  const classes = ["button", tone, isSmall && "small", children === undefined && "icon", className].filter(Boolean).join(" ");
  return (
    <button type="button" {...rest} className={classes} disabled={rest.disabled || isBusy} aria-busy={isBusy || undefined}
      title={rest.title ?? (children === undefined ? rest["aria-label"] : undefined)}>
      {isBusy ? <span className="spinner" /> : icon && <Icon name={icon} size={isSmall ? 15 : 17} />}
      {children}
    </button>
  );
}

export function Badge({ tone, children, title }: { tone: Tone; children: ReactNode; title?: string }) {
  return <span className={`badge ${tone}`} title={title}><span className="badge-dot" />{children}</span>;
}

const clusterTones: Record<string, Tone> = {
  RUNNING: "good", PENDING: "busy", RESTARTING: "busy", RESIZING: "busy", TERMINATING: "warn", TERMINATED: "idle", ERROR: "bad",
};
const resultTones: Record<string, Tone> = {
  SUCCESS: "good", FAILED: "bad", TIMEDOUT: "bad", CANCELED: "warn", UPSTREAM_FAILED: "warn", UPSTREAM_CANCELED: "idle",
};
const lifeTones: Record<string, Tone> = {
  RUNNING: "busy", PENDING: "busy", TERMINATING: "warn", INTERNAL_ERROR: "bad", WAITING_FOR_RETRY: "warn",
};

/** A state's name as words. */
export function words(state: string): string {
  const text = state.toLowerCase().replace(/_/g, " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function ClusterBadge({ state }: { state: string }) {
  return <Badge tone={clusterTones[state] ?? "idle"}>{words(state)}</Badge>;
}

export function RunBadge({ state }: { state: { life_cycle_state: string; result_state?: string; state_message?: string } }) {
  const tone = state.result_state ? resultTones[state.result_state] : lifeTones[state.life_cycle_state];
  const text = state.result_state === "TIMEDOUT" ? "Timed out" : words(state.result_state ?? state.life_cycle_state);
  return <Badge tone={tone ?? "idle"} title={state.state_message || undefined}>{text}</Badge>;
}

export function Note({ tone, children }: { tone?: "bad" | "warn"; children: ReactNode }) {
  return (
    <div className={`note ${tone ?? ""}`} role={tone === "bad" ? "alert" : undefined}>
      <Icon name="alert" size={16} /><div className="grow">{children}</div>
    </div>
  );
}

/** Why something could not be read, with a way to try again. */
export function Failure({ error, retry }: { error: ApiError; retry?: () => void }) {
  return (
    <Note tone="bad">
      <div className="row spread wrap">
        <span>{error.message}{error.requestID && <span className="small"> (request {error.requestID})</span>}</span>
        {retry && <Button isSmall icon="refresh" onClick={retry}>Try again</Button>}
      </div>
    </Note>
  );
}

export function Empty({ icon, title, children, action }: {
  icon: IconName; title: string; children?: ReactNode; action?: ReactNode;
}) {
  return (
    <div className="empty">
      <Icon name={icon} size={34} /><strong>{title}</strong>
      {children && <p>{children}</p>}{action}
    </div>
  );
}

export function Loading({ lines = 4, label = "Loading" }: { lines?: number; label?: string }) {
  return (
    <div className="stack card-body" role="status" aria-label={label}>
      {Array.from({ length: lines }, (_, index) => <div key={index} className="skeleton" style={{ width: `${92 - index * 13}%` }} />)}
    </div>
  );
}

/** The top of a page: where it is, what it shows, and what can be done. */
export function Heading({ title, crumbs, badge, actions, children }: {
  title: string; crumbs?: Array<{ text: string; to: string }>; badge?: ReactNode; actions?: ReactNode; children?: ReactNode;
}) {
  useEffect(() => { document.title = `${title} · DataHarbour`; }, [title]);
  return (
    <header className="heading">
      <div className="heading-text">
        {crumbs && crumbs.length > 0 && (
          <nav aria-label="Where this is">
            <ol className="crumbs">{crumbs.map((crumb) => <li key={crumb.to}><Link to={crumb.to}>{crumb.text}</Link></li>)}</ol>
          </nav>
        )}
        <div className="heading-title"><h1>{title}</h1>{badge}</div>
        {children && <div className="soft">{children}</div>}
      </div>
      {actions && <div className="heading-actions">{actions}</div>}
    </header>
  );
}

export function Card({ title, actions, children, isFlush }: {
  title?: ReactNode; actions?: ReactNode; children: ReactNode; isFlush?: boolean;
}) {
  return (
    <section className="card">
      {title && <div className="card-head"><h2>{title}</h2>{actions}</div>}
      {isFlush ? children : <div className="card-body">{children}</div>}
    </section>
  );
}

export function Dialog({ title, onClose, children, foot, isWide }: {
  title: string; children: ReactNode; foot?: ReactNode; isWide?: boolean;
  /** Without it, only what is in the dialog ends it. */
  onClose?: () => void;
}) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  // Who selects a text and lets go beside the dialog does not mean to close it.
  const isPressedBeside = useRef(false);
  useEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    if (dialog && !dialog.open) {
      dialog.showModal();
      // The browser would choose the button that closes it; and `autoFocus` comes before the dialog is open.
      dialog.querySelector<HTMLElement>("form .input")?.focus();
    }
    // Who opened it has the keyboard again when it is gone.
    return () => { if (before instanceof HTMLElement && before.isConnected) before.focus(); };
  }, []);
  return (
    <dialog ref={element} className={isWide ? "wide" : undefined} aria-labelledby={id} onCancel={(event) => { event.preventDefault(); onClose?.(); }}
      onPointerDown={(event) => { isPressedBeside.current = event.target === element.current; }}
      onClick={(event) => { if (event.target === element.current && isPressedBeside.current) onClose?.(); }}>
      <div className="dialog-head"><h2 id={id}>{title}</h2>{onClose && <Button tone="quiet" icon="close" aria-label="Close" onClick={onClose} />}</div>
      {children}
      {foot && <div className="dialog-foot">{foot}</div>}
    </dialog>
  );
}

export function Tabs<T extends string>({ tabs, current, onChange, label }: {
  tabs: Array<{ id: T; text: string }>; current: T; onChange: (id: T) => void; label: string;
}) {
  const move = (offset: number) => {
    const index = tabs.findIndex((tab) => tab.id === current);
    const next = tabs[(index + offset + tabs.length) % tabs.length];
    if (next) { onChange(next.id); document.getElementById(`tab-${next.id}`)?.focus(); }
  };
  return (
    <div className="tabs" role="tablist" aria-label={label} onKeyDown={(event) => {
      if (event.key === "ArrowRight") move(1);
      if (event.key === "ArrowLeft") move(-1);
    }}>
      {tabs.map((tab) => (
        <button key={tab.id} id={`tab-${tab.id}`} type="button" role="tab" className="tab" aria-selected={tab.id === current}
          aria-controls={tab.id === current ? `panel-${tab.id}` : undefined} tabIndex={tab.id === current ? 0 : -1} onClick={() => onChange(tab.id)}>{tab.text}</button>
      ))}
    </div>
  );
}

/** What belongs to the tab that is chosen. */
export function TabPanel({ id, children }: { id: string; children: ReactNode }) {
  return <div className="tab-panel" id={`panel-${id}`} role="tabpanel" aria-labelledby={`tab-${id}`}>{children}</div>;
}

export function Field({ label, hint, problem, children }: {
  label: string; hint?: ReactNode; problem?: string; children: (id: string, describedBy: string | undefined) => ReactNode;
}) {
  const id = useId();
  const note = `${id}-note`;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children(id, hint || problem ? note : undefined)}
      {(problem || hint) && <div id={note} className={problem ? "problem" : "hint"}>{problem ?? hint}</div>}
    </div>
  );
}
