"""The executors of a cluster on this machine: how many there are, which are leaving, and which were lost and why."""

import re
import threading
import time

from py4j.protocol import Py4JError

# Spark tells nobody by itself when an executor comes or goes; one look is two short questions to its JVM.
_INTERVAL = 0.5
# One that has let go of Spark may take a moment to end, and only then is it known how; Spark itself waits five seconds.
_REASON_PATIENCE = 6.0
_LONGEST_REASON = 200
# A JVM that is told to exit without memory does so with 3, Spark's own handler of that error with 52.
_WITHOUT_MEMORY = (3, 52)


def machine_memory_kills():
    """How often the kernel has killed a process of this machine for lack of memory."""
    try:
        with open("/proc/vmstat", encoding="ascii") as file:
            for line in file:
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    except (OSError, ValueError):
        return 0
    return 0


class Census:
    """What has become of the executors from one look to the next."""

    def __init__(self, application, memory_kills=machine_memory_kills):
        self._application, self._memory_kills = application, memory_kills
        self._known, self._told = set(), None
        self._kills = memory_kills()

    def look(self):
        """What to tell, oldest first: how many run and how many are leaving, with those that were lost."""
        present = self._application.executors()
        leaving = self._application.leaving()
        events = []
        gone = self._known - present
        lost = sorted(gone - leaving, key=int)
        if lost:
            # Told by itself, or one that is replaced at once would not be seen to have been lost.
            rest = self._known - gone - leaving
            events.append({**self._count(rest, self._known & present & leaving), "lost": self._describe(lost)})
        self._known = present
        count = self._count(present - leaving, present & leaving)
        if count != self._told or lost:
            events.append({**count, "lost": []})
            self._told = count
        self._application.forget(gone & leaving)
        return events

    @staticmethod
    def _count(running, leaving):
        return {"running": len(running), "leaving": len(leaving)}

    def _describe(self, lost):
        reasons = self._reasons(lost)
        kills = self._memory_kills()
        starved, self._kills = kills > self._kills, kills
        return [describe(name, reasons.get(name, ""), starved) for name in lost]

    def _reasons(self, lost):
        """Spark's words for each; they come a moment after the executor has left its list."""
        until = time.monotonic() + _REASON_PATIENCE
        while True:
            reasons = self._application.removal_reasons()
            if all(name in reasons for name in lost) or time.monotonic() >= until:
                return reasons
            time.sleep(0.05)


def describe(name, reason, starved):
    """A lost executor as an event tells it. Spark has the exit status in its words only."""
    found = re.search(r"exited with code (\d{1,3})\b", reason)
    status = int(found.group(1)) if found else None
    without_memory = status in _WITHOUT_MEMORY or (status == 137 and starved)
    return {"id": name, "reason": reason[:_LONGEST_REASON], "status": status, "out_of_memory": without_memory}


def follow(application, tell):
    """Tells each change until Spark has ended, from a thread of its own."""
    census = Census(application)

    def run():
        while True:
            try:
                for event in census.look():
                    tell(event)
                application.settle()
            except (Py4JError, OSError):
                return  # The JVM has gone, which is told by its process.
            time.sleep(_INTERVAL)

    threading.Thread(target=run, name="harbour-executors", daemon=True).start()
