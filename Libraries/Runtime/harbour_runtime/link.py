"""A kernel's connection to its cluster: the socket to the host, then Spark through a gateway of its own."""

import json
import os
import signal
import socket
import threading
from concurrent.futures import Future

from .command import current
from .errors import QuietError


class SparkUnavailable(QuietError):
    """The cluster has no Spark for this kernel; the message says why."""


class SparkLink:
    """Connects in the background; `session` blocks until Spark is there. One per kernel."""

    def __init__(self, path):
        self._path = path
        self._session = Future()
        self._socket = None

    def start(self):
        """Begins to connect. Without a path (no cluster) every use of Spark says so."""
        if not self._path:
            self._session.set_exception(
                SparkUnavailable("This kernel was not started by a cluster, so it has no Spark.")
            )
            return
        threading.Thread(target=self._run, name="harbour-link", daemon=True).start()

    def session(self, timeout=None):
        """The context's SparkSession. Raises `SparkUnavailable`, or TimeoutError after `timeout` seconds."""
        failure = self._session.exception(timeout)
        if failure is not None:
            # A fresh one: an exception raised again and again would collect everybody's frames.
            raise SparkUnavailable(str(failure))
        return self._session.result()

    def wait(self):
        """Waits until it is known whether Spark is there. True when it is."""
        return self._session.exception() is None

    def cancel(self, command_id):
        """Asks the host to cancel a command's jobs. Safe in a signal handler: it does not touch py4j."""
        self._send({"op": "cancel", "command_id": command_id})

    def group_started(self, group):
        """A process group of ours runs; the host ends it should we die."""
        self._send({"op": "group", "id": group})

    def group_ended(self, group):
        """The process group is gone by itself."""
        self._send({"op": "group_ended", "id": group})

    def _send(self, message):
        if self._socket is None:
            return
        data = (json.dumps(message) + "\n").encode()
        try:
            self._socket.sendall(data)
        except OSError:
            # The host is gone: the reading thread sees the same and ends this kernel.
            return

    def _run(self):
        try:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.connect(self._path)
        except OSError as error:
            self._session.set_exception(
                SparkUnavailable(f"The cluster's Spark cannot be reached at {self._path} ({error.strerror}).")
            )
            return
        self._socket = connection
        self._send({"op": "open"})
        # Importing meanwhile: the answer comes when Spark runs.
        import pyspark.sql  # noqa: F401

        for line in connection.makefile("r", encoding="utf-8"):
            self._on_message(json.loads(line))
        self._end()

    def _on_message(self, message):
        if message["event"] == "unavailable":
            if not self._session.done():
                self._session.set_exception(SparkUnavailable(message["message"]))
        elif message["event"] == "gateway":
            try:
                self._session.set_result(_make_session(message))
            except Exception as error:  # Whatever it is, the user has to see it when Spark is used.
                self._session.set_exception(SparkUnavailable(f"The Spark session could not be made: {error}"))

    def _end(self):
        """The host died: a kernel without its cluster ends, and what it started with it."""
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)
        os._exit(1)


def _make_session(message):
    from pyspark import SparkContext
    from pyspark.conf import SparkConf
    from pyspark.sql import SparkSession

    from . import gateway as gateways

    gateway = gateways.connect(message["port"], message["secret"])
    default = getattr(gateway.jvm, "org.apache.spark.sql.classic.SparkSession").builder().getOrCreate()
    java_context = gateway.jvm.JavaSparkContext.fromSparkContext(default.sparkContext())
    context = SparkContext(gateway=gateway, jsc=java_context, conf=SparkConf(_jconf=java_context.getConf()))
    overlay = os.environ.get("HARBOUR_OVERLAY_SITE")
    if overlay:
        # Python workers of this kernel's jobs see what %pip installed.
        context.environment["PYTHONPATH"] = overlay
    # First the default session, so that the JVM's default stays what it is; then the kernel's own.
    session = SparkSession(context).newSession()
    SparkSession._instantiatedSession = SparkSession._activeSession = session
    _guard_stop(SparkSession, SparkContext)
    _quiet_loggers()
    gateways.carry_commands(gateway, java_context, session._jsparkSession, message["job_tag"])
    # The first statement of a session builds its catalogue and parser: now, not in the user's first cell.
    session.sql("SELECT 1").schema
    return session


def _quiet_loggers():
    """pyspark writes each error to stderr as JSON a second time, beside raising it."""
    from pyspark.logger import PySparkLogger

    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(name).disabled = True


def _guard_stop(session_class, context_class):
    """A notebook must not stop the Spark that it shares with the others."""

    def stop(self):
        print("Spark belongs to the cluster and is shared, so it goes on. Detach the notebook to free its session.")

    session_class.stop = stop
    context_class.stop = stop


link = SparkLink(os.environ.get("HARBOUR_SPARK_SOCKET"))


def cancel_current():
    """Cancels the Spark jobs of the running command."""
    link.cancel(current.command_id)
