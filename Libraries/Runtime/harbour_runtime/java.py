"""Finding Java, and whether an AppCDS archive fits it."""

import glob
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys

from .failure import StartFailure

OLDEST = 17

# What Spark needs to be let into the JDK, as its own launcher passes it (a test compares the two).
OPTIONS = (
    "-XX:+IgnoreUnrecognizedVMOptions",
    "--add-modules=jdk.incubator.vector",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.lang.invoke=ALL-UNNAMED",
    "--add-opens=java.base/java.lang.reflect=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/java.net=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED",
    "--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.cs=ALL-UNNAMED",
    "--add-opens=java.base/sun.security.action=ALL-UNNAMED",
    "--add-opens=java.base/sun.util.calendar=ALL-UNNAMED",
    "--add-opens=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Dio.netty.allocator.type=pooled",
    "-Dio.netty.handler.ssl.defaultEndpointVerificationAlgorithm=NONE",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    "-Dderby.connection.requireAuthentication=false",
)


def spark_home():
    """The folder of the installed pyspark, found without importing it."""
    found = importlib.util.find_spec("pyspark")
    if found is None or not found.submodule_search_locations:
        raise StartFailure(
            "PYSPARK_MISSING",
            "PySpark is not installed in this Python environment. Run deploy/setup --only runtime to make it again.",
        )
    # Resolved: an archive is for one path of the jars, and the environment is reached by a link as well.
    home = os.path.realpath(list(found.submodule_search_locations)[0])
    if not os.path.isdir(os.path.join(home, "jars")):
        raise StartFailure("PYSPARK_MISSING", f"PySpark at {home} has no jars. Run deploy/setup --only runtime again.")
    return home


def python():
    """This environment's Python, with its folder resolved: a link to the newest environment may move meanwhile."""
    folder, name = os.path.split(sys.executable)
    return os.path.join(os.path.realpath(folder), name)


def classpath():
    """Spark's jars as one wildcard: the driver and the executors must begin alike, or the archive does not fit both."""
    return os.path.join(spark_home(), "jars", "*")


def find(java_home=None):
    """The `java` program to use, checked for its age. Raises `StartFailure` JAVA_MISSING or JAVA_TOO_OLD."""
    for candidate in _candidates(java_home):
        if candidate and os.access(candidate, os.X_OK):
            program = os.path.realpath(candidate)
            version = major_version(program)
            if version < OLDEST:
                raise StartFailure(
                    "JAVA_TOO_OLD",
                    f"{program} is Java {version}, and Spark needs {OLDEST} or newer. "
                    "Install openjdk-17-jre-headless, or name another one in java_home.",
                )
            return program
    where = f"at {java_home}" if java_home else "in JAVA_HOME, in PATH or under /usr/lib/jvm"
    raise StartFailure("JAVA_MISSING", f"No Java was found {where}. Install the package openjdk-17-jre-headless.")


def _candidates(java_home):
    if java_home:
        return [os.path.join(java_home, "bin", "java")]
    named = os.environ.get("JAVA_HOME")
    return [
        os.path.join(named, "bin", "java") if named else None,
        shutil.which("java"),
        *sorted(glob.glob("/usr/lib/jvm/java-*/bin/java"), reverse=True),
    ]


def _release(program):
    """The JDK's own description of its build, a small text file; empty where a build has none."""
    path = os.path.join(os.path.dirname(os.path.dirname(program)), "release")
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(65536)
    except OSError:
        return ""


def major_version(program):
    """17 for 17.0.15, 8 for 1.8.0; from the build's description, or else by asking the program."""
    text = _release(program)
    found = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', text, re.MULTILINE)
    if not found:
        answer = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30, check=False)
        found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(found.group(1)) if found else 0


def fingerprint(program):
    """What an archive depends on: the JVM's build, its options and each jar with size and time."""
    jars = []
    folder = os.path.join(spark_home(), "jars")
    with os.scandir(folder) as entries:
        for entry in entries:
            status = entry.stat()
            jars.append(f"{entry.name} {status.st_size} {int(status.st_mtime)}")
    # The JVM itself, whatever leads to it.
    library = os.path.realpath(os.path.join(os.path.dirname(os.path.dirname(program)), "lib", "server", "libjvm.so"))
    status = os.stat(library) if os.path.exists(library) else None
    parts = [
        folder,
        _release(program),
        f"{library} {status.st_size} {int(status.st_mtime)}" if status else program,
        *OPTIONS,
        *sorted(jars),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def note_path(archive):
    """The archive's note of what it was made for."""
    return archive + ".json"


def usable_archive(archive, program):
    """(the archive or None, why not). The JVM checks again; asking first lets us say so in one line."""
    if not archive:
        return None, "no archive is configured"
    try:
        with open(note_path(archive), encoding="utf-8") as file:
            made_for = json.load(file).get("fingerprint")
    except (OSError, ValueError, AttributeError) as error:
        return None, f"{archive} cannot be used ({error})"
    if not os.path.isfile(archive):
        return None, f"{archive} is missing"
    if made_for != fingerprint(program):
        return None, f"{archive} was made for another Java or other jars; run deploy/setup to make it again"
    return archive, ""
