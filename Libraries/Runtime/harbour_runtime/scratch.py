"""The cluster's own folder: logs, settings of the log, shuffle files, the home that executors start from."""

import os
import shutil
import tempfile

from . import java
from .failure import StartFailure

# One rolled file for Spark's own log: a streaming job writes for weeks.
_DRIVER_LOG = """\
status = error
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {log}
appender.file.filePattern = {log}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{yyyy-MM-dd'T'HH:mm:ss.SSSXXX}} %p %c{{1}}: %m%n%ex
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 3
logger.metastore.name = org.apache.hadoop.util.NativeCodeLoader
logger.metastore.level = error
"""

_SOCKET_LIMIT = 100  # sun_path holds 108 bytes, its end mark included.


def prepare(config):
    """Makes the folder and what belongs into it. Raises `StartFailure` SCRATCH_UNUSABLE."""
    try:
        for name in ("", "logs", "conf", "local", "home", "home/work", "overlay", "events"):
            os.makedirs(config.path(name), mode=0o700, exist_ok=True)
        with open(config.path("conf", "log4j2.properties"), "w", encoding="utf-8") as file:
            file.write(_DRIVER_LOG.format(log=config.path("logs", "spark.log")))
        # In-process workers start executors from SPARK_HOME and write into it, so each cluster has one of its own.
        jars = config.path("home", "jars")
        if os.path.lexists(jars):
            os.unlink(jars)
        os.symlink(os.path.join(java.spark_home(), "jars"), jars)
    except OSError as error:
        raise StartFailure(
            "SCRATCH_UNUSABLE",
            f"The cluster's folder {config.scratch_dir} cannot be written ({error.strerror}). "
            "Choose another one, or make room and mend its owner.",
        ) from error


def socket_path(config):
    """Where kernels reach the host. A long scratch path does not fit a socket address and gets a short folder."""
    path = config.path("host.sock")
    if len(os.fsencode(path)) <= _SOCKET_LIMIT:
        return path
    return os.path.join(tempfile.mkdtemp(prefix="harbour-"), "host.sock")


def release_socket(config, path):
    """Removes the short folder of `socket_path`, where one was made."""
    if os.path.dirname(path) != config.scratch_dir:
        shutil.rmtree(os.path.dirname(path), ignore_errors=True)


def kernel_environment(config, socket):
    """The variables every kernel of this cluster is started with."""
    return {
        "HARBOUR_SPARK_SOCKET": socket,
        "HARBOUR_OVERLAY": config.path("overlay"),
        "PYSPARK_PYTHON": java.python(),
        "PYSPARK_DRIVER_PYTHON": java.python(),
        "PYSPARK_PIN_THREAD": "true",
        "SPARK_HOME": java.spark_home(),
        "SPARK_LOCAL_IP": config.bind_address,
        "IPYTHONDIR": config.path("ipython"),
        "MPLCONFIGDIR": config.path("matplotlib"),
    }
