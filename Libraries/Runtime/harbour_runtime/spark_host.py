"""`python -m harbour_runtime.spark_host`: keeps a cluster's one Spark application for the driver (see README.md)."""

import argparse
import collections
import json
import os
import selectors
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from . import config as configuration
from . import executors, java, scratch
from . import jvm as jvm_module
from .failure import StartFailure
from .kernels import KernelDoor

_LINE_LIMIT = 1 << 20
EXIT_FAILED, EXIT_LOST = 1, 3


class Events:
    """The only writer of stdout: one JSON object a line."""

    def __init__(self):
        # Nobody else may write there: what libraries print goes to stderr.
        self._fd = os.dup(1)
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def send(self, event, **fields):
        """Writes an event. A reader that is gone has left its stdin as well, which ends us."""
        data = (json.dumps({"event": event, **fields}) + "\n").encode()
        with self._lock:
            while data:
                try:
                    data = data[os.write(self._fd, data) :]
                except BrokenPipeError:
                    return


class Host:
    """One loop on the main thread; whatever blocks on the JVM runs on a few threads and posts its end back."""

    def __init__(self, config, events):
        self._config, self._events = config, events
        self._selector = selectors.DefaultSelector()
        self._posted = collections.deque()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="harbour-spark")
        self._input = b""
        self._exit = None
        self._application = None
        self._follower = None
        self._jvm = None
        self._door = KernelDoor(scratch.socket_path(config), self)
        self._kernel_env = scratch.kernel_environment(config, self._door.path)

    # --- what the door to the kernels uses

    @property
    def application(self):
        """The started application, or None while Spark is not ready."""
        return self._application

    def watch(self, fileobj, action):
        self._selector.register(fileobj, selectors.EVENT_READ, action)

    def unwatch(self, fileobj):
        self._selector.unregister(fileobj)

    def in_background(self, work, *arguments, then=None):
        """Runs `work` on a thread; `then(result, error)` is called on the loop."""

        def run():
            try:
                result, error = work(*arguments), None
            except Exception as failure:  # Reported to `then`, which decides.
                result, error = None, failure
            if then:
                self.post(then, result, error)
            elif error and self._exit is None:
                print(f"spark_host: {work.__name__} did not work: {error}", file=sys.stderr)

        if self._exit is None:
            self._pool.submit(run)

    def post(self, action, *arguments):
        """Has the loop call `action`; from any thread."""
        self._posted.append((action, arguments))
        self._wake_write.send(b"\0")

    # --- the run

    def run(self):
        """Runs until Spark is stopped or lost. Returns the exit status."""
        self._events.send("listening", kernel_env=self._kernel_env, python=java.python())
        self.watch(self._wake_read, self._on_posted)
        self.watch(self._door.listener, self._door.on_connect)
        os.set_blocking(0, False)
        self._watch_input()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.post(self._stop, 5))
        try:
            self._jvm = jvm_module.Jvm(self._config)
            if not self._jvm.archive:
                print(f"spark_host: starting without an AppCDS archive: {self._jvm.archive_note}", file=sys.stderr)
            self.watch(self._jvm.pidfd, self._on_jvm_end)
            self.in_background(self._start, then=self._on_started)
            while self._exit is None:
                for key, _ in self._selector.select():
                    key.data()
        except StartFailure as failure:
            self._fail(failure)
        finally:
            self._clean_up()
        return self._exit

    def _start(self):
        from .application import Application, expect_master

        expect_master(self._config.master, self._config.master_patience())
        application = Application(self._config, self._jvm)
        log = configuration.event_log(self._config, application.application_id)
        if configuration.shape(self._config.master):
            self._follower = executors.Follower(application, log, lambda event: self._events.send("executors", **event))
        elif self._config.master.startswith("spark://"):
            # The master tells of its executors; but those that come after fewer were asked for are to be let go here.
            self._follower = executors.Follower(application, log, lambda event: None)
        return application

    def _on_started(self, application, error):
        if self._exit is not None:
            return
        if error:
            self._fail(error)
            return
        self._application = application
        self._events.send(
            "ready",
            kernel_env=self._kernel_env,
            spark_version=application.version,
            application_id=application.application_id,
            ui_url=application.ui_url,
            java_pid=self._jvm.process.pid,
            gateway_port=application.port,
            gateway_secret=application.secret,
            archive=self._jvm.archive is not None,
            log=self._jvm.log,
            seconds=application.seconds,
        )
        self._door.on_ready()
        if self._follower:
            self._follower.start()
        if self._config.warm_up:
            self.in_background(application.warm_up)

    def _fail(self, error):
        if not isinstance(error, StartFailure):
            detail = jvm_module.tail(self._jvm.log) if self._jvm else ""
            error = StartFailure("SPARK_START_FAILED", f"Spark did not start: {error}", detail)
        self._events.send("failed", code=error.code, message=error.message, detail=error.detail)
        self._door.refuse(error.code, error.message)
        self._exit = EXIT_FAILED

    def _on_jvm_end(self):
        self._jvm.process.wait()
        self.unwatch(self._jvm.pidfd)
        if self._application is None:
            self._fail(self._jvm.start_failure())
            return
        code, message, detail = self._jvm.loss()
        status = self._jvm.process.returncode
        self._events.send("lost", code=code, message=message, detail=detail, exit_status=status)
        self._exit = EXIT_LOST

    def _stop(self, grace):
        """Stops Spark in order within `grace` seconds, then by force."""
        if self._exit is not None:
            return
        self._exit = 0
        if self._application:
            stopper = threading.Thread(target=self._application.stop, daemon=True)
            stopper.start()
            stopper.join(grace)
        self._jvm.stop(1)
        self._events.send("stopped")

    def _clean_up(self):
        self._door.close()
        scratch.release_socket(self._config, self._door.path)
        if self._jvm:
            self._jvm.stop(0)
        self._pool.shutdown(wait=False, cancel_futures=True)

    # --- stdin and the wake-up

    def _watch_input(self):
        try:
            self.watch(0, self._on_input)
        except PermissionError:
            # epoll refuses plain files and /dev/null, which are at their end: nobody can ever ask us anything.
            print("spark_host: stdin has to be a pipe from the driver; stopping", file=sys.stderr)
            self.post(self._stop, 0)

    def _on_posted(self):
        try:
            while self._wake_read.recv(4096):
                continue
        except BlockingIOError:
            # Drained; what was posted is in the queue.
            pass
        while self._posted:
            action, arguments = self._posted.popleft()
            action(*arguments)

    def _on_input(self):
        try:
            data = os.read(0, 65536)
        except BlockingIOError:
            return
        if not data:
            self.unwatch(0)
            self._stop(2)  # The driver died.
            return
        *lines, self._input = (self._input + data).split(b"\n")
        if len(self._input) > _LINE_LIMIT:
            self._input = b""
            self._events.send("refused", message="A line is too long.", id=None)
        for line in lines:
            if line.strip():
                self._on_line(line)

    def _on_line(self, line):
        try:
            request = json.loads(line)
            operation, answer = request["op"], request.get("id")
        except (ValueError, KeyError, TypeError, AttributeError):
            self._events.send("refused", message="A line has to be a JSON object with an 'op'.", id=None)
            return
        if operation == "stop":
            self._stop(10)
        elif operation == "cancel" and isinstance(request.get("command_id"), str):
            self._cancel(request["command_id"], answer)
        elif operation == "add_jar" and isinstance(request.get("path"), str):
            self._add_jar(request["path"], answer)
        elif operation == "resize" and type(request.get("executors")) is int and request["executors"] > 0:
            self._resize(request["executors"], answer)
        elif operation == "stats":
            self._stats(answer)
        elif operation == "alive" and type(request.get("within_ms", 0)) is int:
            self._alive(min(max(request.get("within_ms", 0), 0), 10_000) / 1000, answer)
        else:
            self._events.send("refused", message=f"The operation {operation!r} is not one of ours.", id=answer)

    def _cancel(self, command_id, answer):
        if not self._application:
            self._events.send("refused", message="Spark is not ready: it has no jobs.", id=answer)
            return

        def then(_, error):
            if error:
                self._events.send("refused", message=f"The command was not cancelled: {error}", id=answer)
            else:
                self._events.send("cancelled", command_id=command_id, id=answer)

        self.in_background(self._application.cancel, command_id, then=then)

    def _add_jar(self, path, answer):
        if not self._application:
            self._events.send("refused", message="Spark is not ready.", id=answer)
            return

        def then(_, error):
            if error:
                self._events.send("refused", message=f"Spark did not take {path}: {error}"[:2000], id=answer)
            else:
                self._events.send("jar_added", path=path, id=answer)

        self.in_background(self._application.add_jar, path, then=then)

    def _resize(self, count, answer):
        if not self._application:
            self._events.send("refused", message="Spark is not ready.", id=answer)
            return

        def then(_, error):
            if error:
                self._events.send("refused", message=f"Spark did not change its executors: {error}"[:2000], id=answer)
            else:
                self._events.send("resized", executors=count, id=answer)

        def resize():
            self._application.resize(count)
            if self._follower:
                self._follower.look()

        self.in_background(resize, then=then)

    def _alive(self, within, answer):
        """Says that the JVM runs; if it ends within those seconds, "lost" is said in place of it."""
        if not self._application:
            self._events.send("refused", message="Spark is not ready.", id=answer)
            return

        def wait():
            ended = self._jvm.ends(within)
            self.post(lambda: None if ended else self._events.send("alive", id=answer))

        if within == 0:
            if not self._jvm.ends(0):
                self._events.send("alive", id=answer)
        else:
            # Not one of the few threads that cancel commands and ask for figures: this one only waits.
            threading.Thread(target=wait, name="harbour-alive", daemon=True).start()

    def _stats(self, answer):
        if not self._application:
            self._events.send("refused", message="Spark is not ready: it has no figures.", id=answer)
            return

        def then(values, error):
            if error:
                self._events.send("refused", message=f"Spark gave no figures: {error}", id=answer)
            else:
                self._events.send("stats", **values, kernels=self._door.count, id=answer)

        self.in_background(self._application.stats, then=then)


def main(arguments=None):
    """The program. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="harbour_runtime.spark_host", description="Keeps a cluster's Spark.")
    parser.add_argument("--config", required=True, help="a JSON file, described in Libraries/Runtime/README.md")
    options = parser.parse_args(arguments)
    events = Events()
    try:
        config = configuration.read(options.config)
        scratch.prepare(config)
        host = Host(config, events)
    except (StartFailure, OSError) as error:
        code = getattr(error, "code", "SCRATCH_UNUSABLE")
        message = getattr(error, "message", f"The cluster's folder cannot be used ({error}).")
        events.send("failed", code=code, message=message, detail=getattr(error, "detail", ""))
        return EXIT_FAILED
    return host.run()


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    # Threads may still wait for a JVM that is gone; nothing of ours is left to do.
    os._exit(status)
