#!/usr/bin/env python3
"""Writes cron.json: next fire times of classic cron expressions as croniter and cronsim see them.

    python3 -m venv /tmp/cron && /tmp/cron/bin/pip install croniter==7.0.0 cronsim==2.8
    /tmp/cron/bin/python schemas/golden/cron.py > schemas/golden/cron.json

Cases are taken only where the peers' rules are ours (Libraries/CronSchedule says ours in full):
- croniter, in UTC: it knows no Debian rule for day fields that begin with a star, so those are left to cronsim.
- cronsim, in zones with daylight saving: it skips an interval in a skipped hour, so intervals have `*` as hours.
  It reports each skipped time at the end of the gap; we report them once, so repeated times are dropped.
"""
import json
import random
import signal
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from croniter import croniter
from cronsim import CronSim

ZONES = [
    "UTC", "Europe/Madrid", "Europe/London", "America/New_York", "America/Los_Angeles", "Asia/Kolkata",
    "Asia/Kathmandu", "Asia/Tokyo", "Australia/Sydney", "America/Santiago", "Pacific/Auckland", "Africa/Cairo",
    "America/St_Johns", "Europe/Dublin", "America/Havana",
]
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
DAYS = "SUN MON TUE WED THU FRI SAT".split()


def number(random, low, high, names=None):
    value = random.randint(low, high)
    return names[value - low] if names and random.random() < 0.3 else str(value)


def field(random, low, high, names=None, star=0.4, steps=True):
    """One field: a star, a number, a range, a list or a step."""
    if random.random() < star:
        return "*"
    kind = random.choice(["number", "number", "range", "list", "step", "star step"] if steps else
                         ["number", "number", "range", "list"])
    if kind == "number":
        return number(random, low, high, names)
    if kind == "list":
        return ",".join(str(v) for v in sorted(random.sample(range(low, high + 1), min(3, high - low))))
    first, last = sorted(random.sample(range(low, high + 1), 2))
    if kind == "range":
        return f"{first}-{last}"
    step = random.randint(1, max(1, (high - low) // 3))
    return f"{first}-{last}/{step}" if kind == "step" else f"*/{step}"


def after(random, first=2000, last=2037):
    start = datetime(first, 1, 1, tzinfo=timezone.utc).timestamp()
    end = datetime(last, 1, 1, tzinfo=timezone.utc).timestamp()
    return random.randint(int(start), int(end))


def from_croniter(random):
    """UTC, every kind of field."""
    day = field(random, 1, 31) if random.random() < 0.9 else random.choice(["L", "1,L"])
    weekday = field(random, 0, 6, DAYS, star=0.6)
    if random.random() < 0.1:
        day, weekday = "*", random.choice([f"{random.randint(0, 6)}#{random.randint(1, 5)}", f"L{random.randint(0, 6)}"])
    if day != "*" and weekday != "*" and (day[0] == "*" or weekday[0] == "*"):
        return None
    month = field(random, 1, 12, MONTHS, star=0.7)
    text = f"{field(random, 0, 59)} {field(random, 0, 23)} {day} {month} {weekday}"
    start = after(random)
    try:
        times = croniter(text, datetime.fromtimestamp(start, timezone.utc), ret_type=float)
        found = [int(times.get_next()) for _ in range(5)]
    except (ValueError, KeyError):
        return None
    # croniter writes the last Friday L5 where Quartz and we write 5L.
    parts = text.split()
    if parts[4].startswith("L"):
        parts[4] = parts[4][1:] + "L"
    return [" ".join(parts), "UTC", start, found]


def from_cronsim(random):
    """Zones, near changes of the clock half of the time."""
    name = random.choice(ZONES)
    zone = ZoneInfo(name)
    interval = random.random() < 0.4
    if interval:
        minutes, hours = field(random, 0, 59, star=0.2), "*"
    else:
        minutes, hours = field(random, 0, 59, star=0, steps=False), field(random, 0, 5, star=0, steps=False)
    day = random.choice(["*", "*", "*", "L", "LW", field(random, 1, 31)])
    weekday = random.choice(["*", "*", "*", "0", "SUN", "0L", "0#2", "5#1", field(random, 0, 6)])
    month = random.choice(["*", "*", field(random, 1, 12, MONTHS)])
    text = f"{minutes} {hours} {day} {month} {weekday}"
    start = after(random)
    if random.random() < 0.7:
        start = near_change(random, zone, start)
    local = datetime.fromtimestamp(start, zone)
    if local.fold:
        return None
    if not interval and name == "UTC":
        return None
    found, times = [], CronSim(text, local)
    try:
        while len(found) < 6:
            time = int(next(times).timestamp())
            if not found or time > found[-1]:
                found.append(time)
    except StopIteration:
        return None
    return [text, name, start, found]


def near_change(random, zone, start):
    """A moment within the two days before the next change of offset; the same moment in a zone without one."""
    time = datetime.fromtimestamp(start, zone)
    for _ in range(400):
        later = (time.astimezone(timezone.utc) + timedelta(days=1)).astimezone(zone)
        if later.utcoffset() != time.utcoffset():
            return int(time.timestamp()) - random.randint(0, 86400)
        time = later
    return start


def stop(signal, frame):
    raise TimeoutError


def main():
    signal.signal(signal.SIGALRM, stop)
    source = random.Random(20261121)
    cases = {}
    for make, wanted in ((from_croniter, 400), (from_cronsim, 600)):
        count = 0
        while count < wanted:
            # The peers look day by day, so an expression that is rare or never fires costs them minutes.
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            try:
                case = make(source)
            except TimeoutError:
                continue
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            if case and tuple(case[:3]) not in cases:
                cases[tuple(case[:3])] = case
                count += 1
    print("[")
    print(",\n".join(json.dumps(case) for case in cases.values()))
    print("]")


main()
