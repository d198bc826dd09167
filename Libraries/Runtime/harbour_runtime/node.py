"""Spark's own master or worker in the place of this process: `python -m harbour_runtime.node ROLE ...`.

For clusters whose nodes are containers: the driver's node runs a master beside the driver, the others run a worker each.
"""

import argparse
import os
import socket
import sys
import time

from . import java
from .failure import StartFailure

_MASTER = "org.apache.spark.deploy.master.Master"
_WORKER = "org.apache.spark.deploy.worker.Worker"
_DAEMON_MEMORY_MB = 128


def _arguments(words):
    parser = argparse.ArgumentParser(prog="harbour_runtime.node")
    roles = parser.add_subparsers(dest="role", required=True)
    master = roles.add_parser("master")
    worker = roles.add_parser("worker")
    for role in (master, worker):
        role.add_argument("--properties", required=True, help="a file of Spark properties")
    master.add_argument("--url", required=True, help="spark://host:port, where to listen")
    worker.add_argument("--url", default="spark://driver:7077", help="spark://host:port of the master")
    worker.add_argument("--host", required=True, help="this node's name")
    worker.add_argument("--cores", type=int, required=True)
    worker.add_argument("--memory-mb", type=int, required=True, help="for executors, the daemon's own left out")
    worker.add_argument("--work-dir", required=True)
    worker.add_argument("--patience", type=float, default=120, help="seconds to wait for the master")
    return parser.parse_args(words)


def _address(url):
    host, _, port = url.removeprefix("spark://").rpartition(":")
    return host, int(port)


def wait_for(url, patience):
    """Waits until somebody listens there: a worker that asks too early would wait for seconds before it asks again."""
    until = time.monotonic() + patience
    while True:
        try:
            socket.create_connection(_address(url), timeout=5).close()
            return True
        except OSError:
            if time.monotonic() > until:
                return False
            time.sleep(0.1)


def command(options, program, archive):
    """The command of the JVM that becomes the master or the worker."""
    words = [
        program,
        "-cp",
        java.classpath(),
        f"-Xmx{_DAEMON_MEMORY_MB}m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Xshare:auto",
        "-Xlog:disable",
        "-Xlog:all=error:stderr",
        "-XX:+ExitOnOutOfMemoryError",
        *java.OPTIONS,
        *([f"-XX:SharedArchiveFile={archive}"] if archive else []),
    ]
    properties = ["--properties-file", options.properties, "--webui-port", "0"]
    if options.role == "master":
        host, port = _address(options.url)
        return [*words, _MASTER, "--host", host, "--port", str(port), *properties]
    sizes = ["--cores", str(options.cores), "--memory", f"{options.memory_mb}M"]
    return [*words, _WORKER, "--host", options.host, "--work-dir", options.work_dir, *sizes, *properties, options.url]


def main(words):
    options = _arguments(words)
    if options.role == "worker" and not wait_for(options.url, options.patience):
        sys.exit(f"MASTER_UNREACHABLE: The master {options.url} did not answer within {options.patience:.0f} seconds.")
    try:
        program = java.find(os.environ.get("HARBOUR_DRIVER_JAVA_HOME"))
        archive = os.environ.get("HARBOUR_DRIVER_SPARK_ARCHIVE") or os.path.join(
            os.path.dirname(os.path.dirname(java.python())), "spark.jsa"
        )
        archive, _ = java.usable_archive(archive if os.path.exists(archive) else None, program)
        home = java.spark_home()
    except StartFailure as failure:
        sys.exit(f"{failure.code}: {failure.message}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HARBOUR_DRIVER_")}
    environment.update(
        SPARK_HOME=home, SPARK_SCALA_VERSION="2.13", JAVA_HOME=os.path.dirname(os.path.dirname(program))
    )
    os.execve(program, command(options, program, archive), environment)


if __name__ == "__main__":
    main(sys.argv[1:])
