// Times and lengths as people say them.
import { useEffect, useState } from "react";

const listeners = new Set<() => void>();
let timer: number | undefined;

/** The time now, each second while somebody looks; one timer for all. */
export function useNow(isNeeded = true): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!isNeeded) return undefined;
    const listener = () => setNow(Date.now());
    listeners.add(listener);
    timer ??= window.setInterval(() => { if (!document.hidden) for (const one of [...listeners]) one(); }, 1000);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) { clearInterval(timer); timer = undefined; }
    };
  }, [isNeeded]);
  return now;
}

/** 340 ms, 4.2 s, 3 min 5 s, 2 h 10 min, 3 d 4 h */
export function duration(milliseconds: number): string {
  const value = Math.max(0, milliseconds);
  if (value < 1000) return `${Math.round(value)} ms`;
  const seconds = value / 1000;
  if (seconds < 59.95) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

export function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let value = count / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit += 1; }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const today = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const thisYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const earlier = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

function relative(time: number, now: number): string {
  const ago = now - time;
  if (ago < 0) {
    // The time that is compared with is up to a second old.
    if (ago > -1000) return "just now";
    if (ago > -60000) return "in a moment";
    if (ago > -3600000) return `in ${Math.round(-ago / 60000)} min`;
  } else {
    if (ago < 10000) return "just now";
    if (ago < 60000) return `${Math.floor(ago / 1000)} s ago`;
    if (ago < 3600000) return `${Math.floor(ago / 60000)} min ago`;
  }
  const date = new Date(time);
  const current = new Date(now);
  if (date.toDateString() === current.toDateString()) return today.format(date);
  return date.getFullYear() === current.getFullYear() ? thisYear.format(date) : earlier.format(date);
}

/** When, as far from now as people say it; the exact time is its title. */
export function Time({ value }: { value: number | undefined }) {
  const now = useNow(value !== undefined && Math.abs(Date.now() - value) < 3600000);
  if (value === undefined) return <span className="soft">–</span>;
  return (
    <time dateTime={new Date(value).toISOString()} title={full.format(value)} className="nowrap">{relative(value, now)}</time>
  );
}

const zoned = new Map<string, Intl.DateTimeFormat>();

/** A part of a time, here or in another zone; undefined in a zone that this browser does not know. */
function inZone(value: number, zone: string | undefined, parts: Intl.DateTimeFormatOptions): string | undefined {
  const key = `${zone ?? ""} ${Object.keys(parts).join()}`;
  try {
    const format = zoned.get(key) ?? new Intl.DateTimeFormat(undefined, { ...parts, timeZone: zone });
    zoned.set(key, format);
    return format.format(value);
  } catch { return undefined; }
}

/** As schedules are written, on a clock of 24 hours. */
const clock: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

/**
 * When something comes that is planned in a zone of its own, on the clock of that zone, whose name stands nearby; beside it
 * the local time where it is another. What comes within the hour has no need of a clock.
 */
export function PlannedTime({ value, zone }: { value: number; zone: string }) {
  const isThisYear = new Date(value).getFullYear() === new Date().getFullYear();
  const day: Intl.DateTimeFormatOptions = { day: "numeric", month: "short", ...(isThisYear ? {} : { year: "numeric" }) };
  const [there, here] = [zone, undefined].map((one) => inZone(value, one, { ...day, ...clock }));
  if (there === undefined || Math.abs(value - Date.now()) < 3600000) return <Time value={value} />;
  const isSameDay = inZone(value, zone, day) === inZone(value, undefined, day);
  return (
    <span><time dateTime={new Date(value).toISOString()} title={`${full.format(value)}, your time`} className="nowrap">{there}</time>
      {here !== there && <span className="soft small nowrap"> ({isSameDay ? inZone(value, undefined, clock) : here} your time)</span>}</span>
  );
}

/** How long something took, or has taken until now. */
export function Span({ from, to }: { from: number | undefined; to: number | undefined }) {
  const now = useNow(from !== undefined && to === undefined);
  if (from === undefined) return <span className="soft">–</span>;
  return <span className="nowrap">{duration((to ?? now) - from)}</span>;
}

/** "at 10:42", or with its day where that is another one. */
export function moment(value: number): string {
  return new Date(value).toDateString() === new Date().toDateString() ? `at ${today.format(value)}` : `on ${thisYear.format(value)}`;
}

export function clockTime(value: number): string { return full.format(value); }
