"""`python -m harbour_runtime.history --folder F`: Spark's history pages of the event logs in a folder.

Says `{"event": "ready", "url": ...}` on stdout, reads its settings from `F/history.conf`, and ends when its input does.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import threading

from . import java, processes
from .failure import StartFailure

_MAIN = "org.apache.spark.deploy.history.HistoryServer"
_LOG = """\
status = error
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_OUT
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %c{1}: %m%n%ex
"""
_STARTED = re.compile(r"started at (http://\S+?)/?$")


def _say(**event):
    print(json.dumps(event), flush=True)


def _end_with_input(process):
    # The service died or needs it no more.
    while os.read(0, 4096):
        continue
    process.kill()


def main(arguments=None):
    """The program. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="harbour_runtime.history", description="Shows the history of Spark.")
    parser.add_argument("--folder", required=True, help="the folder of the event logs and of history.conf")
    parser.add_argument("--java-home", help="where Java is")
    options = parser.parse_args(arguments)
    try:
        program = java.find(options.java_home)
        classpath = java.classpath()
    except StartFailure as failure:
        _say(event="failed", message=failure.message)
        return 1
    log = os.path.join(options.folder, "log4j2.properties")
    with open(log, "w", encoding="utf-8") as file:
        file.write(_LOG)
    process = subprocess.Popen(
        [
            program,
            "-cp",
            classpath,
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-Xshare:auto",
            f"-Dlog4j2.configurationFile={log}",
            *java.OPTIONS,
            _MAIN,
            "--properties-file",
            os.path.join(options.folder, "history.conf"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_HOME": java.spark_home(), "SPARK_NO_DAEMONIZE": "1"},
        preexec_fn=processes.die_with_parent,
        text=True,
        errors="replace",
    )
    threading.Thread(target=_end_with_input, args=(process,), daemon=True).start()
    last = ""
    for line in process.stdout:
        line = line.rstrip("\n")
        if line:
            last = line
        found = _STARTED.search(line)
        if found and "HistoryServer" in line:
            _say(event="ready", url=found.group(1))
    status = process.wait()
    _say(event="failed", message=f"Spark's history server ended with status {status}: {last}"[:1000])
    return 1


if __name__ == "__main__":
    sys.exit(main())
