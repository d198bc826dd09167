"""The executors of a cluster: how many there are, which are leaving, and which were lost and why.

Spark writes of each that comes or goes into its event log, and flushes that at once; the kernel tells of each write. So
nobody has to ask, and a cluster without work does not wake.
"""

import ctypes
import json
import os
import re
import sys
import threading

from py4j.protocol import Py4JError

from .failure import StartFailure

_LONGEST_REASON = 200
# A JVM that is told to exit without memory does so with 3, Spark's own handler of that error with 52.
_WITHOUT_MEMORY = (3, 52)
_OF_EXECUTORS = b'{"Event":"SparkListenerExecutor'
# An event of an executor has some hundred bytes; others may have megabytes and are not kept.
_LONGEST_LINE = 65_536
_CHUNK = 1 << 20
# inotify(7)
_MODIFIED, _MOVED, _DELETED = 0x2, 0x800, 0x400


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
    """What has become of the executors, event by event."""

    def __init__(self, application, memory_kills=machine_memory_kills):
        self._application, self._memory_kills = application, memory_kills
        self._known, self._told = set(), None
        self._kills = memory_kills()

    def take(self, event):
        """What to tell after an event of Spark's log: an executor that was lost."""
        name, kind = event.get("Executor ID"), event.get("Event")
        if kind == "SparkListenerExecutorAdded":
            self._known.add(name)
            # It may have been on its way while fewer were asked for.
            self._application.settle()
        elif kind == "SparkListenerExecutorRemoved" and name in self._known:
            self._known.discard(name)
            # One that was about to be lost may have counted among those that stay, or have been chosen to leave.
            self._application.settle()
            if name not in self._application.leaving():
                # Told by itself, or one that is replaced at once would not be seen to have been lost.
                lost, self._told = self._describe(name, event.get("Removed Reason") or ""), None
                return [{**self._count(), "lost": [lost]}]
            self._application.forget({name})
        return []

    def count(self):
        """How many run and how many are leaving, if that is news."""
        count = self._count()
        if count == self._told:
            return []
        self._told = count
        return [{**count, "lost": []}]

    def _count(self):
        leaving = len(self._known & self._application.leaving())
        return {"running": len(self._known) - leaving, "leaving": leaving}

    def _describe(self, name, reason):
        kills = self._memory_kills()
        starved, self._kills = kills > self._kills, kills
        return describe(name, reason, starved)


def surplus(names, tasks, wanted):
    """Those of the executors that are too many, the least busy ones; one that `tasks` does not know yet has none."""
    return sorted(names, key=lambda name: (tasks.get(name, 0), name))[: max(0, len(names) - wanted)]


def describe(name, reason, starved):
    """A lost executor as an event tells it. Spark has the exit status in its words only."""
    found = re.search(r"exited with code (\d{1,3})\b", reason)
    status = int(found.group(1)) if found else None
    without_memory = status in _WITHOUT_MEMORY or (status == 137 and starved)
    return {"id": name, "reason": reason[:_LONGEST_REASON], "status": status, "out_of_memory": without_memory}


class EventCutter:
    """Cuts a log that grows into Spark's events of executors."""

    def __init__(self):
        self._rest, self._skips = b"", False

    def cut(self, data):
        """The events that are whole with these bytes."""
        events = []
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            if not self._skips and line.startswith(_OF_EXECUTORS):
                try:
                    events.append(json.loads(line))
                except ValueError:  # Cut short by a disk that was full; the events after it count none the less.
                    print(f"spark_host: a damaged event in Spark's log: {line[:200]!r}", file=sys.stderr)
            self._skips = False
        if len(rest) > _LONGEST_LINE:
            rest, self._skips = b"", True
        self._rest = rest
        return events


class _Writes:
    """Waits for writes to a file, until it is moved or deleted."""

    def __init__(self, path):
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_CLOEXEC)
        wanted = _MODIFIED | _MOVED | _DELETED
        if self._descriptor < 0 or libc.inotify_add_watch(self._descriptor, os.fsencode(path), wanted) < 0:
            why = os.strerror(ctypes.get_errno())
            raise StartFailure(
                "SPARK_START_FAILED",
                f"Spark's event log {path} cannot be watched: {why}. If other programs watch many files, raise "
                "fs.inotify.max_user_instances and fs.inotify.max_user_watches.",
            )

    def wait(self):
        """Returns after a write; False when there will be no more."""
        # One event without a name: the watch, what happened, a cookie and a length, of four bytes each.
        event = os.read(self._descriptor, 16)
        return not int.from_bytes(event[4:8], "little") & (_MOVED | _DELETED)

    def close(self):
        os.close(self._descriptor)


class Follower:
    """Tells each change until Spark has ended, from a thread of its own."""

    def __init__(self, application, log, tell):
        self._census, self._tell, self._lock = Census(application), tell, threading.Lock()
        self._writes = _Writes(log)
        self._log = open(log, "rb")

    def start(self):
        """Tells what there is already, and then what happens."""
        threading.Thread(target=self._run, name="harbour-executors", daemon=True).start()

    def look(self):
        """Some were told to leave."""
        with self._lock:
            self._say(self._census.count())

    def _run(self):
        cutter = EventCutter()
        try:
            while True:
                while data := self._log.read(_CHUNK):
                    for event in cutter.cut(data):
                        with self._lock:
                            self._say(self._census.take(event))
                self.look()
                if not self._writes.wait():
                    return
        except (Py4JError, ConnectionError):
            return  # The JVM has gone, which is told by its process.
        finally:
            self._writes.close()
            self._log.close()

    def _say(self, events):
        for event in events:
            self._tell(event)
