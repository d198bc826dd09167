// How long something that was deleted stays.
import { Badge } from "./parts";
import { clockTime, useNow } from "./time";

export function plural(count: number, word: string): string { return `${count} ${word}${count === 1 ? "" : "s"}`; }

/** How long something stays; `over` says why it is still there when that time is over. */
export function Left({ until, over }: { until: number | undefined; over?: string }) {
  const now = useNow(until !== undefined && until - Date.now() < 3600000);
  if (until === undefined) return <span className="soft">As long as you like</span>;
  if (over !== undefined && until <= now) return <span className="soft">{over}</span>;
  const left = (until - now) / 86400000;
  const days = left < 1 ? 0 : Math.round(left);
  const words = days >= 1 ? plural(days, "day") : "Less than a day";
  return (
    <time dateTime={new Date(until).toISOString()} title={clockTime(until)}>
      {days < 3 ? <Badge tone="warn">{words}</Badge> : words}
    </time>
  );
}
