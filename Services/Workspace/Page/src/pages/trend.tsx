// How the runs of the last days ended: a bar a day.
import type { DashboardDay } from "../api/generated/contract";
import { ticks } from "../ui/ticks";

const width = 560;
const height = 150;
const left = 34;
const bottom = 20;

const kinds = [
  { key: "succeeded", text: "succeeded", tone: "good" }, { key: "failed", text: "failed", tone: "bad" },
  { key: "canceled", text: "canceled", tone: "idle" }, { key: "active", text: "not ended", tone: "busy" },
] as const;

/** The days are those of UTC, as the API counts them. */
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "short", timeZone: "UTC" });
const whole = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", timeZone: "UTC" });

function told(day: DashboardDay): string {
  const parts = kinds.filter((kind) => day[kind.key] > 0).map((kind) => `${day[kind.key]} ${kind.text}`);
  return `${whole.format(new Date(day.date))}: ${parts.length > 0 ? parts.join(", ") : "no run"}`;
}

export function Trend({ days }: { days: DashboardDay[] }) {
  const total = (day: DashboardDay) => kinds.reduce((sum, kind) => sum + day[kind.key], 0);
  const high = Math.max(1, ...days.map(total));
  const step = (width - left) / days.length;
  const unit = (height - bottom - 8) / high;
  const shown = kinds.filter((kind) => days.some((day) => day[kind.key] > 0));
  return (
    <div className="trend">
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={days.map(told).join("; ")}>
        {ticks(0, high, 3).filter(Number.isInteger).map((tick) => {
          const y = height - bottom - tick * unit;
          return <g key={tick}><line x1={left} x2={width} y1={y} y2={y} className="chart-grid" /><text x={left - 7} y={y + 4} textAnchor="end">{tick}</text></g>;
        })}
        {days.map((day, index) => {
          let top = height - bottom;
          const x = left + index * step;
          return (
            <g key={day.date}>
              <title>{told(day)}</title>
              <rect x={x} y={0} width={step} height={height} fill="transparent" />
              {kinds.filter((kind) => day[kind.key] > 0).map((kind) => {
                top -= day[kind.key] * unit;
                return <rect key={kind.key} className={`trend-bar ${kind.tone}`} x={x + step * 0.2} y={top} width={step * 0.6} height={day[kind.key] * unit} />;
              })}
              <text x={x + step / 2} y={height - 5} textAnchor="middle">{weekday.format(new Date(day.date))}</text>
            </g>
          );
        })}
      </svg>
      <ul className="legend">{shown.map((kind) => (
        <li key={kind.key}><span className={`legend-key trend-key ${kind.tone}`} />{kind.text}
          <span className="soft">{days.reduce((sum, day) => sum + day[kind.key], 0)}</span></li>
      ))}</ul>
    </div>
  );
}
