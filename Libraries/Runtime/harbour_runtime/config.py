"""The configuration file of `spark_host`, checked field by field, and the Spark settings that follow from it."""

import json
import os
import re
from dataclasses import dataclass, field

from . import java
from .failure import StartFailure


@dataclass
class HostConfig:
    scratch_dir: str
    app_name: str = "dataharbour"
    master: str = "local[2]"
    spark_conf: dict = field(default_factory=dict)
    driver_memory_mb: int = 1024
    archive: str | None = None
    java_home: str | None = None
    bind_address: str = "127.0.0.1"
    ui: bool = True
    warm_up: bool = True
    start_timeout_seconds: float = 120

    def path(self, *parts):
        return os.path.join(self.scratch_dir, *parts)

    def master_patience(self):
        """Seconds that a master may take until it listens: a backend that starts one beside us says so."""
        value = self.spark_conf.get("spark.dataharbour.master.patience", "0")
        return min(float(value), self.start_timeout_seconds) if value.isdecimal() else 0


_LOCAL = re.compile(r"local(?:\[(\d{1,4}|\*)(?:,\d{1,4})?\])?")
_LOCAL_CLUSTER = re.compile(r"local-cluster\[\s*(\d{1,4})\s*,\s*(\d{1,4})\s*,\s*(\d{1,7})\s*\]")
# What follows from a local-cluster's numbers, beside all of dynamic allocation.
_OURS = ("spark.executor.memory", "spark.executor.cores", "spark.executor.instances", "spark.cores.max")
# The executors that a local-cluster can be brought to while it runs.
_ROOM = 64
_STANDALONE = re.compile(r"spark://[^\s]+")
_TYPES = {
    "scratch_dir": (str,),
    "app_name": (str,),
    "master": (str,),
    "spark_conf": (dict,),
    "driver_memory_mb": (int,),
    "archive": (str, type(None)),
    "java_home": (str, type(None)),
    "bind_address": (str,),
    "ui": (bool,),
    "warm_up": (bool,),
    "start_timeout_seconds": (int, float),
}


def _invalid(sentence):
    return StartFailure("CONFIG_INVALID", f"The cluster's configuration is not usable: {sentence}")


def read(path):
    """Reads and checks the file. Raises `StartFailure` with code CONFIG_INVALID."""
    try:
        with open(path, encoding="utf-8") as file:
            values = json.load(file)
    except OSError as error:
        raise _invalid(f"{path} could not be read ({error.strerror}).") from error
    except ValueError as error:
        raise _invalid(f"{path} is not JSON ({error}).") from error
    return parse(values)


def parse(values):
    """Checks a decoded configuration. Raises `StartFailure` with code CONFIG_INVALID."""
    if not isinstance(values, dict):
        raise _invalid("it has to be a JSON object.")
    for name, value in values.items():
        if name not in _TYPES:
            raise _invalid(f"the field {name!r} is unknown.")
        wrong_bool = isinstance(value, bool) and bool not in _TYPES[name]
        if wrong_bool or not isinstance(value, _TYPES[name]):
            raise _invalid(f"the field {name!r} has the wrong type.")
    if not values.get("scratch_dir"):
        raise _invalid("the field 'scratch_dir' is missing.")
    config = HostConfig(**values)
    config.scratch_dir = os.path.abspath(config.scratch_dir)
    config.spark_conf = {name: _setting(name, value) for name, value in config.spark_conf.items()}
    if config.driver_memory_mb < 512:
        raise _invalid("'driver_memory_mb' has to be 512 or more, or Spark does not start.")
    if not 1 <= config.start_timeout_seconds <= 3600:
        raise _invalid("'start_timeout_seconds' has to be between 1 and 3600.")
    _check_master(config)
    return config


def _setting(name, value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise _invalid(f"the Spark setting {name!r} has to be a string, a number or a boolean.")


def _check_master(config):
    master = config.master
    if _LOCAL.fullmatch(master) or _STANDALONE.fullmatch(master):
        return
    cluster = _LOCAL_CLUSTER.fullmatch(master)
    if not cluster:
        kinds = "local[N], local-cluster[N,cores,memory_mb], spark://host:port"
        raise _invalid(f"the master {master!r} is none of {kinds}.")
    executors, cores, memory = (int(part) for part in cluster.groups())
    if executors < 1 or cores < 1 or memory < 512:
        raise _invalid("a local-cluster needs at least one executor, one core and 512 MB for each.")
    for name in config.spark_conf:
        if name in _OURS or name.startswith("spark.dynamicAllocation."):
            raise _invalid(f"the master {master!r} gives {name} itself; leave that setting out.")


def shape(master):
    """(executors, cores each, memory in MB each) of a local-cluster master, or None for the other kinds."""
    cluster = _LOCAL_CLUSTER.fullmatch(master)
    return tuple(int(part) for part in cluster.groups()) if cluster else None


def _cores(master):
    cluster = shape(master)
    if cluster:
        return cluster[0] * cluster[1]
    local = _LOCAL.fullmatch(master)
    if local:
        return os.cpu_count() if local.group(1) == "*" else int(local.group(1) or 1)
    return 8


def _executor_settings(executors, cores, memory):
    """A local-cluster whose number of executors may change: one worker has room for all that there may ever be.

    A worker is only threads of the driver's JVM, and the room only a number: what is taken are the executors.
    """
    room = max(executors, _ROOM)
    return {
        "spark.master": f"local-cluster[1,{room * cores},{room * memory}]",
        "spark.executor.cores": str(cores),
        "spark.executor.memory": f"{memory}m",
        # Only with dynamic allocation does Spark ask for a number of executors rather than for all that fit. Its own
        # decisions are switched off by what Spark has for its tests: the number is ours.
        "spark.dynamicAllocation.enabled": "true",
        "spark.dynamicAllocation.initialExecutors": str(executors),
        "spark.dynamicAllocation.minExecutors": "0",
        "spark.dynamicAllocation.testing": "true",
        "spark.test.dynamicAllocation.schedule.enabled": "false",
        # One that has to leave ends its tasks and hands its blocks to the others before it does.
        "spark.decommission.enabled": "true",
        "spark.storage.decommission.enabled": "true",
        "spark.storage.decommission.rddBlocks.enabled": "true",
        "spark.storage.decommission.shuffleBlocks.enabled": "true",
        "spark.storage.decommission.replicationReattemptInterval": "1s",
    }


def spark_settings(config, executor_options):
    """All settings of the SparkContext: ours, then the user's over them. `executor_options` are JVM options."""
    settings = {
        "spark.app.name": config.app_name,
        "spark.master": config.master,
        "spark.driver.bindAddress": config.bind_address,
        "spark.driver.host": config.bind_address,
        "spark.local.dir": config.path("local"),
        "spark.sql.warehouse.dir": config.path("warehouse"),
        "spark.ui.enabled": "true" if config.ui else "false",
        "spark.ui.port": "0",
        "spark.ui.showConsoleProgress": "false",
        # Several contexts share the application: a long job of one must not hold back the others.
        "spark.scheduler.mode": "FAIR",
        # Spark's 200 is for large clusters and costs seconds on a small one.
        "spark.sql.shuffle.partitions": str(max(2, 2 * _cores(config.master))),
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.serializer.objectStreamReset": "100",
        "spark.rdd.compress": "true",
        "spark.submit.deployMode": "client",
        "spark.pyspark.python": java.python(),
        "spark.executor.logs.rolling.strategy": "size",
        "spark.executor.logs.rolling.maxSize": "10485760",
        "spark.executor.logs.rolling.maxRetainedFiles": "3",
    }
    cluster = shape(config.master)
    if cluster:
        settings.update(_executor_settings(*cluster))
    settings.update(executor_options)
    settings.update(config.spark_conf)
    settings.update(_history_settings(config))
    return settings


def _history_settings(config):
    """The history of the cluster's Spark: read by the driver, line by line, and kept after the cluster's end.

    It tells of executors too, so nobody may have it otherwise.
    """
    return {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": "file://" + config.path("events"),
        "spark.eventLog.compress": "false",
        "spark.eventLog.rolling.enabled": "false",
    }


def event_log(config, application_id):
    """Where Spark writes its history while it runs."""
    return os.path.join(config.path("events"), f"{application_id}.inprogress")
