"""Stands in for Spark's host where a test is about processes: speaks its protocol, has no Spark, is ready at once."""
import json
import os
import subprocess
import sys


def tell(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def main():
    # As Spark's executors do: a process of the cluster that is not the driver's own child.
    helper = subprocess.Popen(["sleep", "1000"], process_group=0)
    tell("listening", kernel_env={})
    tell(
        "ready", kernel_env={}, spark_version="0.0.0", application_id=f"fake-{os.getpid()}", ui_url=None,
        java_pid=helper.pid, gateway_port=0, gateway_secret="", archive=False, log="", seconds={"jvm": 0, "session": 0},
    )
    for line in sys.stdin:
        request = json.loads(line)
        if request.get("op") == "stop":
            break
        tell("refused", message="There is no Spark here.", id=request.get("id"))
    helper.kill()
    tell("stopped")


main()
