"""Spark's JVM: started directly (no spark-submit, which costs a second JVM), reached by py4j."""

import os
import select
import shutil
import signal
import struct
import subprocess
import time

from . import java, processes
from .config import shape
from .failure import StartFailure

_MAIN = "org.apache.spark.api.python.PythonGatewayServer"
_TAIL = 8000


def tail(path, limit=_TAIL):
    """The last bytes of a log as text; empty when there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - limit))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def looks_out_of_memory(text):
    """Whether the JVM's own output says that memory ran out."""
    marks = ("OutOfMemoryError", "Could not reserve enough space", "insufficient memory", "Cannot allocate memory")
    return any(mark in text for mark in marks)


class Jvm:
    """One JVM child of this process. It ends with us: by its stdin pipe, and by the kernel if we are killed."""

    def __init__(self, config, extra_options=()):
        self.program = java.find(config.java_home)
        self.output = config.path("logs", "jvm.out")
        self.log = config.path("logs", "spark.log")
        self.archive, self.archive_note = java.usable_archive(config.archive, self.program)
        self.started = time.monotonic()
        self._memory_kills = processes.memory_kills()
        self._info = config.path("gateway")
        os.makedirs(self._info, mode=0o700, exist_ok=True)
        self._watch = processes.FolderWatch(self._info)
        self._connection_file = os.path.join(self._info, f"connection-{os.getpid()}")
        command = self._command(config, extra_options)
        with open(self.output, "ab") as output:
            # The thread that forks must live as long as we do: see die_with_parent.
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=config.scratch_dir,
                env=self._environment(config),
                preexec_fn=processes.die_with_parent,
            )
        self.pidfd = os.pidfd_open(self.process.pid)

    def _command(self, config, extra_options):
        archive = [f"-XX:SharedArchiveFile={self.archive}"] if self.archive else []
        return [
            self.program,
            "-cp",
            java.classpath(),
            f"-Xmx{config.driver_memory_mb}m",
            "-Xshare:auto",
            "-Xlog:disable",
            "-Xlog:all=error:stderr",
            # A JVM without memory is half dead: better that everybody learns it.
            "-XX:+ExitOnOutOfMemoryError",
            f"-XX:ErrorFile={config.path('logs', 'jvm_error_%p.log')}",
            f"-Dlog4j2.configurationFile={config.path('conf', 'log4j2.properties')}",
            f"-Djava.io.tmpdir={config.path('local')}",
            *java.OPTIONS,
            *archive,
            *extra_options,
            _MAIN,
        ]

    def _environment(self, config):
        values = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
        values.update(
            SPARK_HOME=config.path("home"),
            SPARK_SCALA_VERSION="2.13",
            SPARK_LOCAL_IP=config.bind_address,
            SPARK_CONNECT_MODE="0",
            PYSPARK_PYTHON=java.python(),
            PYSPARK_PIN_THREAD="true",
            JAVA_HOME=os.path.dirname(os.path.dirname(self.program)),
            _PYSPARK_DRIVER_CONN_INFO_PATH=self._connection_file,
        )
        return values

    def executor_options(self, config):
        """Settings that give executors the same archive; they begin with the same class path as the driver."""
        options = [config.spark_conf.get("spark.executor.extraJavaOptions", "")]
        settings = {}
        if shape(config.master):
            options.append("-XX:+ExitOnOutOfMemoryError")
            if self.archive:
                options.append(f"-XX:SharedArchiveFile={self.archive} -Xshare:auto -Xlog:disable")
                extra = config.spark_conf.get("spark.executor.extraClassPath")
                settings["spark.executor.extraClassPath"] = ":".join(filter(None, [java.classpath(), extra]))
            settings["spark.executor.extraJavaOptions"] = " ".join(filter(None, options))
        return settings

    def wait_for_gateway(self, timeout):
        """Waits until py4j listens: (port, secret). Raises `StartFailure`."""
        poller = select.poll()
        poller.register(self._watch.fd, select.POLLIN)
        poller.register(self.pidfd, select.POLLIN)
        until = time.monotonic() + timeout
        try:
            while not os.path.exists(self._connection_file):
                left = until - time.monotonic()
                if left <= 0:
                    raise StartFailure(
                        "START_TIMEOUT",
                        f"Spark's JVM did not answer within {timeout:.0f} seconds. Look at {self.output}.",
                        tail(self.output),
                    )
                poller.poll(left * 1000)
                self._watch.names()
                if self.process.poll() is not None and not os.path.exists(self._connection_file):
                    raise self.start_failure()
        finally:
            self._watch.close()
        with open(self._connection_file, "rb") as file:
            data = file.read()
        shutil.rmtree(self._info, ignore_errors=True)
        port, length = struct.unpack_from(">ii", data)
        return port, data[8 : 8 + length].decode()

    def start_failure(self):
        """Says why the JVM ended before it listened."""
        detail = tail(self.output)
        if looks_out_of_memory(detail):
            return StartFailure(
                "OUT_OF_MEMORY",
                "There is not enough memory for Spark's JVM. Choose a smaller driver memory or stop another cluster.",
                detail,
            )
        return StartFailure(
            "SPARK_START_FAILED",
            f"Spark's JVM ended with exit status {self.process.returncode} while starting. Look at {self.output}.",
            detail,
        )

    def loss(self):
        """(code, sentence, detail) for a JVM that ended by itself after it had been ready."""
        status = self.process.returncode
        detail = tail(self.output) + tail(self.log, 2000)
        starved = status == -signal.SIGKILL and processes.memory_kills() > self._memory_kills
        if starved or looks_out_of_memory(tail(self.output)):
            return (
                "OUT_OF_MEMORY",
                "Spark's driver ran out of memory and ended. Give it more memory, or collect less data.",
                detail,
            )
        if status < 0:
            name = signal.Signals(-status).name
            return "KILLED", f"Spark's JVM was ended by the signal {name}. Start the cluster again.", detail
        return "SPARK_LOST", f"Spark's JVM ended with exit status {status}. Look at {self.log}.", detail

    def ends(self, within):
        """Whether it has ended, waiting for that many seconds."""
        poller = select.poll()
        poller.register(self.pidfd, select.POLLIN)
        return bool(poller.poll(within * 1000))

    def stop(self, grace):
        """Ends the JVM: closes its stdin, waits for at most `grace` seconds, then kills it."""
        if self.process.stdin and not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
