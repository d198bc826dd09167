// Whether the server can be reached, as the requests find it; what waits for it is told when it is back.

type Listener = () => void;

/** For how long an answer is waited for, in milliseconds. */
const mostPatience = 5000;

async function isThere(): Promise<boolean> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), mostPatience);
  try {
    return (await fetch("/healthz", { cache: "no-store", signal: controller.signal })).ok;
  } catch { return false; } finally { clearTimeout(timer); }
}

class Connection {
  isOnline = true;
  private listeners = new Set<Listener>();
  /** How often the server has answered. */
  private answers = 0;
  private timer: number | undefined;
  private delay = 1000;

  constructor() {
    addEventListener("online", () => this.probe());
    addEventListener("offline", () => this.lost());
  }

  subscribe = (listener: Listener): Listener => {
    this.listeners.add(listener);
    return () => { this.listeners.delete(listener); };
  };

  lost(): void {
    if (!this.isOnline) return;
    this.isOnline = false;
    this.delay = 1000;
    this.tell();
    this.plan();
  }

  reached(): void {
    this.answers += 1;
    if (this.isOnline) return;
    this.isOnline = true;
    clearTimeout(this.timer);
    this.tell();
  }

  /** Resolves when the server can be reached. */
  whenOnline(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(new DOMException("stopped", "AbortError"));
    if (this.isOnline) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const stop = this.subscribe(() => { if (this.isOnline) { stop(); resolve(); } });
      signal.addEventListener("abort", () => { stop(); reject(new DOMException("stopped", "AbortError")); });
    });
  }

  /** Looks whether the server is there, when something else has reason to doubt it. */
  check = async (): Promise<void> => {
    if (!this.isOnline) return;
    const { answers } = this;
    // What was answered meanwhile is newer.
    if (!await isThere() && this.answers === answers) this.lost();
  };

  /** Looks now whether the server is back. */
  probe = async (): Promise<void> => {
    clearTimeout(this.timer);
    if (await isThere()) this.reached();
    if (this.isOnline) return;
    clearTimeout(this.timer);
    this.delay = Math.min(this.delay * 1.7, 15000);
    this.plan();
  };

  private plan(): void { this.timer = window.setTimeout(this.probe, this.delay * (0.75 + Math.random() / 2)); }
  private tell(): void { for (const listener of [...this.listeners]) listener(); }
}

export const connection = new Connection();

/** Loads a part of the page; without a connection, as soon as there is one again. */
export async function loaded<T>(load: () => Promise<T>): Promise<T> {
  for (let isSecond = false; ;) {
    try {
      return await load();
    } catch (error) {
      await connection.check();
      if (!connection.isOnline) await connection.whenOnline(new AbortController().signal);
      // The server is there, and that part of the page is not.
      else if (isSecond) throw error;
      else isSecond = true;
    }
  }
}
