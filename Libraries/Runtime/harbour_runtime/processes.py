"""Small doors to Linux that Python's library does not have: parent death, file events, process ends."""

import ctypes
import os
import signal
import struct
import threading

_PR_SET_PDEATHSIG = 1
_IN_MOVED_TO = 0x80
_IN_CLOSE_WRITE = 0x8
_IN_NONBLOCK = 0o4000
_IN_CLOEXEC = 0o2000000

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    """Runs in a child between fork and exec: the kernel kills it when the parent's forking thread ends.

    Use it only from a thread that lives as long as its process, since Linux watches the thread.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def memory_kills():
    """How often the kernel has killed a process of our control group, such as our container, for lack of memory."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        try:
            with open(path, encoding="ascii") as file:
                for line in file:
                    name, _, count = line.partition(" ")
                    if name == "oom_kill":
                        return int(count)
        except (OSError, ValueError):
            continue
    return 0


class FolderWatch:
    """Tells, through a file descriptor one can poll, that a file of a folder was completed."""

    def __init__(self, folder):
        self.fd = _libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "inotify is not available")
        if _libc.inotify_add_watch(self.fd, os.fsencode(folder), _IN_MOVED_TO | _IN_CLOSE_WRITE) < 0:
            code = ctypes.get_errno()
            os.close(self.fd)
            raise OSError(code, os.strerror(code), folder)

    def names(self):
        """The names completed since the last call."""
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            return []
        found, at = [], 0
        while at < len(data):
            length = struct.unpack_from("iIII", data, at)[3]
            found.append(os.fsdecode(data[at + 16 : at + 16 + length].rstrip(b"\0")))
            at += 16 + length
        return found

    def close(self):
        os.close(self.fd)


def when_process_ends(pid, action):
    """Calls `action` on a thread of its own once the process `pid` is gone. Waits, does not poll."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        action()
        return

    def wait():
        # A pidfd becomes readable when its process ends; `select` has a limit on numbers, `poll` has none.
        import select

        poller = select.poll()
        poller.register(fd, select.POLLIN)
        poller.poll()
        os.close(fd)
        action()

    threading.Thread(target=wait, name="harbour-process-watch", daemon=True).start()


def kill_group(group, number=signal.SIGKILL):
    """Signals a process group; one that is gone already is no error."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        # Gone, or its id belongs to somebody else by now: either way none of ours is left in it.
        return
