#!/usr/bin/env python3
"""A driver with a real Spark application and nothing else, for the tests of the spark backend.

Speaks as stand_in_driver.py does, with words of its own: `count N` runs a job of N short tasks and answers with how
many things they had; `done` answers with how many tasks of all jobs so far are done. It listens at once, and Spark comes
up meanwhile. The number of executors follows the file that the backend writes.
"""
import json
import os
import signal
import socket
import sys
import threading
import time
import uuid


class Spark:
    def __init__(self):
        self.context = None
        self.ended = None
        self.is_up = threading.Event()

    def start(self):
        from pyspark import SparkConf, SparkContext

        conf = SparkConf().setMaster(os.environ["HARBOUR_DRIVER_SPARK_MASTER"]).setAppName("by default")
        with open(os.environ["HARBOUR_DRIVER_SPARK_CONF_FILE"], encoding="utf-8") as file:
            for name, value in json.load(file).items():
                conf.set(name, value)
        conf.set("spark.ui.enabled", "false")
        self.context = SparkContext(conf=conf)
        self.ended = self.context.accumulator(0)
        self.is_up.set()
        self.follow_wish()

    def follow_wish(self):
        """Has the executors that the newest line of the file says."""
        path, seen = os.path.join(os.environ["HARBOUR_DRIVER_SCRATCH"], "executors"), None
        while os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                lines = file.read().split()
            if lines and lines[-1] != seen:
                seen = lines[-1]
                self.resize(int(seen))
            time.sleep(0.1)

    def resize(self, count):
        inner, jvm = self.context._jsc.sc(), self.context._jvm
        inner.requestTotalExecutors(count, 0, jvm.scala.collection.immutable.HashMap())
        listed, names = inner.statusStore().executorList(True).iterator(), []
        while listed.hasNext():
            names.append(listed.next().id())
        surplus = [name for name in names if name != "driver"][count:]
        if surplus:
            inner.schedulerBackend().killExecutors(jvm.PythonUtils.toSeq(surplus), False, False, True)

    def count(self, tasks):
        ended = self.ended

        def work(part):
            time.sleep(0.25)
            # Counted when the task's result has come, and only once, however often it runs.
            ended.add(1)
            return [len(list(part))]

        return sum(self.context.parallelize(range(tasks * 10), tasks).mapPartitions(work).collect())

    def done(self):
        return self.ended.value


def answer(stream, token, process, spark):
    if stream.readline() != token + "\n":
        stream.write("refused\n")
        return
    command, _, text = stream.readline().rstrip("\n").partition(" ")
    if command == "who":
        stream.write(f"{os.environ['HARBOUR_CLUSTER_ID']} {process}\n")
    elif command == "say":
        print(text, flush=True)
        stream.write("said\n")
    elif spark.is_up.is_set():
        stream.write(f"{spark.count(int(text)) if command == 'count' else spark.done()}\n")


def serve(connection, token, process, spark):
    with connection, connection.makefile("rw", encoding="utf-8") as stream:
        answer(stream, token, process, spark)


def main():
    with open(os.environ["HARBOUR_DRIVER_TOKEN_FILE"], encoding="utf-8") as file:
        token = file.read()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server = socket.socket(socket.AF_UNIX)
    server.bind(os.environ["HARBOUR_DRIVER_LISTEN"][len("unix:"):])
    server.listen(16)
    spark, process = Spark(), str(uuid.uuid4())
    threading.Thread(target=spark.start, daemon=True).start()
    while True:
        connection, _ = server.accept()
        threading.Thread(target=serve, args=(connection, token, process, spark), daemon=True).start()


main()
