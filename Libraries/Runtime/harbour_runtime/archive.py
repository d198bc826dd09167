"""`python -m harbour_runtime.archive --output FILE`: makes the AppCDS archive that halves Spark's start.

The JVM writes the classes it loaded when it ends. So this runs what clusters do first: local and local-cluster Spark,
SQL, data frames, CSV and Parquet, Python workers, a kernel's gateway. The archive fits one build of Java and one set of
jars; a note beside it says which (see java.fingerprint).
"""

import argparse
import contextlib
import glob
import json
import os
import sys
import tempfile
import time

from . import application, config, java, jvm, scratch
from .failure import StartFailure

# Classes of an executor process: a local-cluster's executors are other JVMs, whose loading this one does not see.
_EXECUTOR = (
    "org.apache.spark.executor.CoarseGrainedExecutorBackend",
    "org.apache.spark.executor.CoarseGrainedExecutorBackend$",
    "org.apache.spark.executor.ExecutorLogUrlHandler",
    "org.apache.spark.deploy.worker.WorkerWatcher",
    "org.apache.spark.deploy.worker.WorkerWatcher$",
    "org.apache.spark.MapOutputTrackerWorker",
    "org.apache.spark.storage.BlockManagerStorageEndpoint",
    "org.apache.spark.broadcast.TorrentBroadcast",
)

_CSV = "id,name,day,amount\n" + "".join(f"{at},n{at % 7},2024-01-{at % 28 + 1:02},{at * 1.5}\n" for at in range(200))

_STATEMENTS = (
    "CREATE OR REPLACE TEMP VIEW t AS SELECT * FROM VALUES (1, 'a', date'2024-01-01'), (2, 'b', null) v(id, name, day)",
    "SELECT name, count(*) AS n, sum(id) AS s, avg(id) FROM t GROUP BY name ORDER BY n DESC",
    "SELECT a.id, b.name, row_number() OVER (PARTITION BY a.name ORDER BY a.id) FROM t a JOIN t b ON a.id = b.id",
    "SELECT explode(sequence(1, 3)) AS x, cast(1.5 AS decimal(10, 2)), array(1), map('a', 1), current_timestamp()",
    "SHOW TABLES",
    "DESCRIBE t",
)


def make(output, java_home=None, driver_memory_mb=1024):
    """Writes the archive and its note. Returns seconds. Raises `StartFailure`."""
    started = time.monotonic()
    os.makedirs(os.path.dirname(os.path.abspath(output)), exist_ok=True)
    for left in glob.glob(glob.escape(output) + ".*.new*"):
        os.unlink(left)  # Of a run that was killed; set-up holds a lock, so nobody else is at it.
    building = f"{output}.{os.getpid()}.new"
    with tempfile.TemporaryDirectory(prefix="harbour-archive-") as folder:
        settings = config.parse(
            {"scratch_dir": folder, "master": "local[2]", "java_home": java_home, "driver_memory_mb": driver_memory_mb}
        )
        scratch.prepare(settings)
        machine = jvm.Jvm(settings, extra_options=[f"-XX:ArchiveClassesAtExit={building}"])
        try:
            _train(settings, machine, folder)
        except BaseException:
            machine.process.kill()  # What it would write now is not worth keeping.
            raise
        finally:
            machine.stop(120)
        if not os.path.exists(building):
            raise StartFailure(
                "ARCHIVE_FAILED", "Java wrote no archive. Clusters start without it, slower.", jvm.tail(machine.output)
            )
        note = {"fingerprint": java.fingerprint(machine.program), "java": machine.program}
        with open(building + ".json", "w", encoding="utf-8") as file:
            json.dump(note, file)
        # The note last: an archive without its own note is never used.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(java.note_path(output))
        os.replace(building, output)
        os.replace(building + ".json", java.note_path(output))
    return time.monotonic() - started


def _train(settings, machine, folder):
    """Does what clusters do, through the same doors as they."""
    spark = application.Application(settings, machine)
    spark.warm_up()
    server, port, secret = spark.open_gateway()
    os.environ.update(scratch.kernel_environment(settings, ""))
    from . import link

    session = link._make_session({"port": port, "secret": secret, "job_tag": "training"})
    for statement in _STATEMENTS:
        session.sql(statement).limit(100).collect()
    _files(session, folder)
    _python(session)
    spark.stats()
    spark.cancel("none")
    loader = getattr(session._jvm, "java.lang.Class")
    for name in _EXECUTOR:
        with contextlib.suppress(Exception):  # A class of another Spark version: the archive only lacks it.
            loader.forName(name)
    # Or it would report the end of the JVM as an error of its own.
    session.sparkContext._accumulatorServer.shutdown()
    spark.close_gateway(server, "training")
    spark.stop()


def _files(session, folder):
    from pyspark.sql import functions

    path = os.path.join(folder, "data.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write(_CSV)
    frame = session.read.csv(path, header=True, inferSchema=True)
    frame = frame.withColumn("day", functions.to_date("day")).where("amount > 10").dropna().dropDuplicates(["id"])
    target = os.path.join(folder, "data.parquet")
    frame.write.mode("overwrite").partitionBy("name").parquet(target)
    stored = session.read.parquet(target)
    stored.groupBy("name").agg(functions.sum("amount").alias("total")).orderBy("total").collect()
    stored.join(stored.select("id", "amount"), "id").limit(5).collect()
    stored.createOrReplaceTempView("stored")
    session.sql("SELECT count(DISTINCT name) FROM stored").collect()


def _python(session):
    from pyspark.sql.functions import udf

    session.createDataFrame([(1, "a"), (2, None)], "a int, b string").rdd.map(lambda row: row.a).collect()
    session.range(10).select(udf(lambda value: value + 1, "long")("id")).collect()
    session.range(10).toPandas()
    with contextlib.suppress(Exception):
        session.sql("SELECT * FROM missing").collect()


def main(arguments=None):
    """The program. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="harbour_runtime.archive", description="Makes Spark's AppCDS archive.")
    parser.add_argument("--output", required=True)
    parser.add_argument("--java-home")
    parser.add_argument("--check", action="store_true", help="only say whether the archive there fits; status 0 or 1")
    options = parser.parse_args(arguments)
    try:
        if options.check:
            usable, why = java.usable_archive(options.output, java.find(options.java_home))
            print(usable or why)
            return 0 if usable else 1
        seconds = make(options.output, options.java_home)
    except StartFailure as failure:
        print(f"{failure.message}\n{failure.detail}".rstrip(), file=sys.stderr)
        return 1
    print(f"{options.output}: {os.path.getsize(options.output) >> 20} MiB in {seconds:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
