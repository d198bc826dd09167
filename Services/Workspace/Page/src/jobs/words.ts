// A cron expression in plain words, where it is one that people write; all others only have their next times.
const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const dayNames = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const months = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const monthNames = months.map((name) => name.slice(0, 3).toUpperCase());

const list = (parts: string[]) => parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts[parts.length - 1]}`;
const isNumber = (text: string) => /^\d+$/.test(text);
const isAny = (text: string) => text === "*" || text === "?";

function ordinal(number: number): string {
  const end = number % 100 > 10 && number % 100 < 14 ? "th" : ["th", "st", "nd", "rd"][number % 10] ?? "th";
  return `${number}${end}`;
}

/** Names of a field such as 1-5 or MON,WED. */
function named(field: string, names: string[], short: string[], from: number): string | undefined {
  const name = (text: string) => isNumber(text) ? names[(Number(text) - from + names.length) % names.length] : names[short.indexOf(text.toUpperCase())];
  const parts = field.split(",").map((part) => {
    const ends = part.split("-").map(name);
    if (ends.some((one) => one === undefined) || ends.length > 2) return undefined;
    return ends.length === 2 ? `${ends[0]} to ${ends[1]}` : ends[0];
  });
  return parts.some((part) => part === undefined) ? undefined : list(parts as string[]);
}

function when(second: string, minute: string, hour: string): string | undefined {
  const every = (field: string, unit: string) => {
    const [start, step] = field.split("/");
    return step && isNumber(step) && (start === "*" || start === "0") ? (step === "1" ? `every ${unit}` : `every ${step} ${unit}s`) : undefined;
  };
  if (second !== "0") return second === "*" && isAny(minute) && isAny(hour) ? "every second" : every(second, "second");
  if (isAny(hour)) {
    if (isAny(minute)) return "every minute";
    if (isNumber(minute)) return minute === "0" ? "every hour" : `every hour, ${minute} minutes past`;
    return every(minute, "minute");
  }
  if (!isNumber(minute)) return undefined;
  const past = minute.padStart(2, "0");
  if (hour.split(",").every(isNumber)) return `at ${list(hour.split(",").map((one) => `${one.padStart(2, "0")}:${past}`))}`;
  const hours = every(hour, "hour");
  return hours && (minute === "0" ? hours : `${hours}, ${minute} minutes past`);
}

/** "Every Monday to Friday at 06:00"; undefined for what has no short words. */
export function cronInWords(expression: string): string | undefined {
  const fields = expression.trim().split(/\s+/);
  if (fields.length === 7 && !isAny(fields[6] ?? "")) return undefined;
  // Quartz counts the days of a week from Sunday as 1, cron as 0.
  const isQuartz = fields.length > 5;
  const [second, minute, hour, day, month, weekday] = (isQuartz ? fields : ["0", ...fields]) as [string, string, string, string, string, string];
  if (fields.length < 5 || fields.length > 7) return undefined;
  const time = when(second, minute, hour);
  if (!time) return undefined;
  const inMonths = isAny(month) ? "" : named(month, months, monthNames, 1);
  if (inMonths === undefined) return undefined;
  const within = inMonths ? ` in ${inMonths}` : "";
  const isDaily = time.startsWith("at ");
  const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
  if (isAny(day) && isAny(weekday)) return capital(isDaily ? `every day${within} ${time}` : `${time}${within}`);
  if (isAny(day)) {
    const name = named(weekday, days, dayNames, isQuartz ? 1 : 0);
    return name && capital(isDaily ? `every ${name}${within} ${time}` : `${time}, ${name}${within}`);
  }
  if (!isAny(weekday)) return undefined;
  const which = day.toUpperCase() === "L" ? "last day"
    : day.split(",").every(isNumber) ? list(day.split(",").map((one) => ordinal(Number(one)))) : undefined;
  return which && capital(isDaily ? `on the ${which} of ${inMonths || "every month"} ${time}` : `${time} on the ${which} of ${inMonths || "every month"}`);
}

/** Whose words and whose cron agree: the way in for those who do not write cron. */
export const commonTimes: Array<{ text: string; cron: string }> = [
  { text: "Every 15 minutes", cron: "0 */15 * * * ?" },
  { text: "Every hour", cron: "0 0 * * * ?" },
  { text: "Every day at 06:00", cron: "0 0 6 * * ?" },
  { text: "Every working day at 06:00", cron: "0 0 6 ? * MON-FRI" },
  { text: "Every Monday at 06:00", cron: "0 0 6 ? * MON" },
  { text: "On the first day of every month", cron: "0 0 6 1 * ?" },
];
