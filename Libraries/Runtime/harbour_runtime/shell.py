"""Programs run by a cell: their output is streamed while they run, and they never outlive the cell or the kernel."""

import codecs
import os
import select
import signal
import subprocess
import sys

from .errors import ShellError
from .link import link
from .processes import kill_group

_GRACE = 2000  # milliseconds between an interrupt and the end by force


def run(command, what, environment=None):
    """Runs a program without input. Raises `ShellError` when it ends with another status than 0."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        process_group=0,
    )
    link.group_started(process.pid)
    try:
        _pump(process)
    except KeyboardInterrupt:
        kill_group(process.pid, signal.SIGINT)
        _wait(process, _GRACE)
        raise
    finally:
        # Also what the script left in the background: it would hold the cell's pipes.
        kill_group(process.pid)
        process.wait()
        process.stdout.close()
        process.stderr.close()
        link.group_ended(process.pid)
    if process.returncode < 0:
        raise ShellError(f"{what} was ended by the signal {signal.Signals(-process.returncode).name}.")
    if process.returncode:
        raise ShellError(f"{what} ended with exit status {process.returncode}.")


def _wait(process, milliseconds):
    fd = os.pidfd_open(process.pid)
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    poller.poll(milliseconds)
    os.close(fd)


def _pump(process):
    """Copies both outputs until the program ends, and then what is left in the pipes."""
    make = codecs.getincrementaldecoder("utf-8")
    outputs = {
        process.stdout.fileno(): (sys.stdout, make("replace")),
        process.stderr.fileno(): (sys.stderr, make("replace")),
    }
    end = os.pidfd_open(process.pid)
    poller = select.poll()
    poller.register(end, select.POLLIN)
    for fd in outputs:
        os.set_blocking(fd, False)
        poller.register(fd, select.POLLIN)
    open_outputs = set(outputs)
    try:
        while True:
            ready = [fd for fd, _ in poller.poll()]
            for fd in ready:
                if fd in open_outputs and not _copy(fd, *outputs[fd]):
                    open_outputs.discard(fd)
                    poller.unregister(fd)
            if end in ready:
                break
        for fd in open_outputs:
            _copy(fd, *outputs[fd])
    finally:
        os.close(end)


def _copy(fd, stream, decoder):
    """Copies what is there now. False at the end of the pipe."""
    while True:
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return True
        stream.write(decoder.decode(data, final=not data))
        if not data:
            return False
