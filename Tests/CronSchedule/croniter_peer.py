"""Says when croniter lets schedules fire: a line of JSON for each line of the file that is named.

In: zone, expression, seconds since 1970, how many. Out: the next times in seconds since 1970; null when croniter or
Python's zone database does not take the line.
"""
import datetime
import json
import sys
import zoneinfo

from croniter import croniter

for line in open(sys.argv[1]):
    zone, expression, start, count = json.loads(line)
    try:
        begin = datetime.datetime.fromtimestamp(start, zoneinfo.ZoneInfo(zone))
        times = croniter(expression, begin)
        print(json.dumps([int(times.get_next(datetime.datetime).timestamp()) for _ in range(count)]))
    except Exception:
        print("null")
