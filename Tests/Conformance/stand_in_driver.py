#!/usr/bin/env python3
"""Stands in for the driver in the exam of cluster backends: speaks the start protocol, runs no Spark.

Each connection sends the token and a command, one line each, and gets one line back.
"""
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid


def have_executors(scratch):
    """Says that there are as many executors as the newest line of the backend's file asks for, where there is one."""
    seen = None
    while True:
        with open(f"{scratch}/executors", encoding="utf-8") as file:
            lines = file.read().split()
        if lines[-1:] != seen:
            seen = lines[-1:]
            with open(f"{scratch}/executors-seen", "a", encoding="utf-8") as file:
                file.write(f'{{"running":{seen[0]},"leaving":0,"lost":[]}}\n')
        time.sleep(0.05)


def main():
    with open(os.environ["HARBOUR_DRIVER_TOKEN_FILE"], encoding="utf-8") as file:
        token = file.read()
    for name in ("HARBOUR_DRIVER_SCRATCH", "HARBOUR_DRIVER_SPARK_MASTER", "HARBOUR_DRIVER_MEMORY_MB"):
        assert os.environ[name], name
    with open(os.environ["HARBOUR_DRIVER_SPARK_CONF_FILE"], encoding="utf-8") as file:
        assert file.read().startswith("{")
    listen = os.environ["HARBOUR_DRIVER_LISTEN"]
    scratch = os.environ["HARBOUR_DRIVER_SCRATCH"]
    if os.path.exists(f"{scratch}/executors-seen"):
        threading.Thread(target=have_executors, args=(scratch,), daemon=True).start()
    # As a kernel does: a group of its own, so that ending the driver's group does not reach it.
    child = subprocess.Popen(["sleep", "1000"], process_group=0)

    def stop(_signal, _frame):
        child.kill()
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    if listen.startswith("unix:"):
        server = socket.socket(socket.AF_UNIX)
        server.bind(listen[len("unix:"):])
    else:
        host, port = listen.removeprefix("http://").split(":")
        server = socket.create_server((host, int(port)))
    server.listen(16)
    process = str(uuid.uuid4())
    print("the stand-in listens", flush=True)
    while True:
        connection, _ = server.accept()
        with connection, connection.makefile("rw", encoding="utf-8") as stream:
            if stream.readline() != token + "\n":
                stream.write("refused\n")
                continue
            command, _, text = stream.readline().rstrip("\n").partition(" ")
            if command == "who":
                stream.write(f"{os.environ['HARBOUR_CLUSTER_ID']} {process}\n")
            elif command == "say":
                print(text, flush=True)
                stream.write("said\n")


main()
