// The one WebSocket of a tab: what it follows, resumed after the last number it has seen whenever the connection breaks.
import { newID } from "../app/ids";
import { checkSession } from "./client";
import { connection } from "./connection";
import type { LiveMessage, LivePresence } from "./generated/contract";

export interface Followed {
  /** The number of the last event that was seen. */
  after?: number;
  onMessage: (message: LiveMessage) => void;
  /** What was seen is too old: everything has to be read anew, and is followed from what this resolves to. */
  onReset?: () => Promise<number>;
}

export interface Place { cell_id?: string; is_editing?: boolean }

const firstDelay = 250;
/** Codes that the server closes with. */
const [signedOut, tooMany] = [4401, 4429];

class Live {
  /** What the server calls this tab; another name after each connection. */
  clientID: string | undefined;
  isOpen = false;
  /** What to do when it is refused because there are too many of them. */
  onTooMany: () => void = () => undefined;
  private socket: WebSocket | undefined;
  private topics = new Map<string, Followed>();
  /** What was asked for and is not answered yet: what comes of it is of whoever followed it before. */
  private asked = new Set<string>();
  /** Whether its user knows that there are too many. */
  private isTold = false;
  private places = new Map<string, Place>();
  private delay = firstDelay;
  private timer: number | undefined;
  private listeners = new Set<() => void>();

  constructor() {
    connection.subscribe(() => {
      if (!connection.isOnline || this.topics.size === 0 || this.isOpen) return;
      // The server is back, or the network: not a moment is lost.
      this.delay = firstDelay;
      this.reconnect(0);
    });
    addEventListener("offline", () => this.socket?.close());
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => { this.listeners.delete(listener); };
  };

  /** Follows a topic; the answer ends that. */
  follow(topic: string, followed: Followed): () => void {
    this.topics.set(topic, followed);
    if (this.isOpen) this.ask(topic);
    else if (!this.socket && this.timer === undefined) this.connect();
    return () => {
      if (this.topics.get(topic) !== followed) return;
      this.topics.delete(topic);
      this.places.delete(topic);
      this.asked.delete(topic);
      this.send({ type: "UNSUBSCRIBE", topic });
      if (this.topics.size === 0) this.leave();
    };
  }

  /** Nobody follows anything; whoever does next has a connection of its own, which does not wait for the end of this one. */
  private leave(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { socket } = this;
    this.socket = undefined;
    this.isOpen = false;
    socket?.close();
    this.tell();
  }

  /** Says where the user is, to the others who are there. */
  setPlace(topic: string, place: Place): void {
    this.places.set(topic, place);
    if (this.isOpen) this.send({ type: "PRESENCE", topic, ...place });
  }

  private tell(): void { for (const listener of [...this.listeners]) listener(); }
  private send(message: object): void { if (this.isOpen) this.socket?.send(JSON.stringify(message)); }

  private ask(topic: string): void {
    const followed = this.topics.get(topic);
    if (!followed) return;
    this.asked.add(topic);
    this.send({ type: "SUBSCRIBE", topic, ...(followed.after === undefined ? {} : { after: followed.after }) });
    const place = this.places.get(topic);
    if (place) this.send({ type: "PRESENCE", topic, ...place });
  }

  private connect(): void {
    this.timer = undefined;
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/v1/live`);
    this.socket = socket;
    socket.onmessage = (event) => { if (this.socket === socket) this.take(JSON.parse(event.data as string) as LiveMessage); };
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      this.socket = undefined;
      this.isOpen = false;
      this.asked.clear();
      this.tell();
      if (this.topics.size === 0) return;
      if (event.code === signedOut) void checkSession();
      else void connection.check();
      // The place of a connection that was left may not be free yet: only what is refused again is told.
      if (event.code === tooMany && this.delay > firstDelay && !this.isTold) {
        this.isTold = true;
        this.onTooMany();
      }
      this.reconnect(this.delay * (0.75 + Math.random() / 2));
      this.delay = Math.min(this.delay * 2, 10000);
    };
  }

  private reconnect(delay: number): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      this.timer = undefined;
      if (!this.socket && this.topics.size > 0) this.connect();
    }, delay);
  }

  private take(message: LiveMessage): void {
    if (message.type === "HELLO") {
      this.clientID = message.client_id;
      this.isOpen = true;
      this.isTold = false;
      this.delay = firstDelay;
      connection.reached();
      for (const topic of this.topics.keys()) this.ask(topic);
      this.tell();
      return;
    }
    const topic = message.topic ?? "";
    const followed = this.topics.get(topic);
    if (!followed) return;
    if (message.type === "SUBSCRIBED" || message.type === "FAILED") this.asked.delete(topic);
    if ((message.type === "EVENT" || message.type === "ENDED") && this.asked.has(topic)) return;
    if (message.type === "RESET") {
      void followed.onReset?.().then((after) => {
        if (this.topics.get(topic) !== followed) return;
        followed.after = after;
        this.ask(topic);
      }, () => { if (this.topics.get(topic) === followed) this.socket?.close(); });
      return;
    }
    if (message.sequence !== undefined) {
      if (message.type === "EVENT" && followed.after !== undefined && message.sequence <= followed.after) return;
      // What was answered to an earlier wish is no reason to go back.
      followed.after = Math.max(message.sequence, followed.after ?? message.sequence);
    }
    followed.onMessage(message);
  }
}

export const live = new Live();
export type { LivePresence };
/** What this tab calls itself when it saves. */
export const tabID = newID();
