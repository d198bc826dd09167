#!/usr/bin/env python3
"""A driver with a real Spark application and nothing else, for the tests of the spark backend.

Speaks as stand_in_driver.py does, with words of its own: `count N` runs a job of N short tasks and answers with how
many things they had; `done` answers with how many tasks of the running job are done.
"""
import json
import os
import signal
import socket
import sys
import threading
import time


def start_spark():
    from pyspark import SparkConf, SparkContext

    conf = SparkConf().setMaster(os.environ["HARBOUR_DRIVER_SPARK_MASTER"]).setAppName("by default")
    with open(os.environ["HARBOUR_DRIVER_SPARK_CONF_FILE"], encoding="utf-8") as file:
        for name, value in json.load(file).items():
            conf.set(name, value)
    conf.set("spark.ui.enabled", "false")
    return SparkContext(conf=conf)


def count(context, tasks):
    def work(part):
        time.sleep(0.25)
        return [len(list(part))]

    return sum(context.parallelize(range(tasks * 10), tasks).mapPartitions(work).collect())


def answer(stream, token, context):
    if stream.readline() != token + "\n":
        stream.write("refused\n")
        return
    command, _, text = stream.readline().rstrip("\n").partition(" ")
    if command == "count":
        stream.write(f"{count(context, int(text))}\n")
    elif command == "done":
        tracker = context.statusTracker()
        stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
        stream.write(f"{sum(stage.numCompletedTasks for stage in stages if stage)}\n")


def serve(connection, token, context):
    with connection, connection.makefile("rw", encoding="utf-8") as stream:
        answer(stream, token, context)


def main():
    with open(os.environ["HARBOUR_DRIVER_TOKEN_FILE"], encoding="utf-8") as file:
        token = file.read()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    context = start_spark()
    server = socket.socket(socket.AF_UNIX)
    server.bind(os.environ["HARBOUR_DRIVER_LISTEN"][len("unix:"):])
    server.listen(16)
    while True:
        connection, _ = server.accept()
        threading.Thread(target=serve, args=(connection, token, context), daemon=True).start()


main()
