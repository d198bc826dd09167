"""The one Spark application of a cluster, seen from the host: started, asked, cancelled, stopped."""

import socket
import threading
import time

from py4j.clientserver import ClientServer, JavaParameters, PythonParameters
from py4j.protocol import Py4JError, Py4JJavaError

from . import jvm as jvm_module
from .config import spark_settings
from .executors import surplus
from .failure import StartFailure

_SESSION = "org.apache.spark.sql.classic.SparkSession"


def _class(jvm, name):
    return getattr(jvm, name)


def connect(port, secret):
    """A py4j client in which each Python thread has a Java thread of its own."""
    return ClientServer(
        java_parameters=JavaParameters(port=port, auth_token=secret, auto_convert=True),
        python_parameters=PythonParameters(port=0, eager_load=False),
    )


class Application:
    """Spark in a running JVM. Methods block and may be called from several threads."""

    def __init__(self, config, jvm):
        self.port, self.secret = jvm.wait_for_gateway(config.start_timeout_seconds)
        listening = time.monotonic()
        self._gateway = connect(self.port, self.secret)
        self._jvm = self._gateway.jvm
        settings = spark_settings(config, jvm.executor_options(config))
        try:
            conf = _class(self._jvm, "org.apache.spark.SparkConf")()
            for name, value in settings.items():
                conf.set(name, value)
            context = _class(self._jvm, "org.apache.spark.SparkContext")(conf)
            self._session = _class(self._jvm, _SESSION).builder().getOrCreate()
            self._context = context
        except Py4JJavaError as error:
            raise _session_failure(config, jvm, error) from error
        except Py4JError as error:
            raise jvm.start_failure() from error
        # The number of executors is ours, not Spark's own decision, so Spark need not refuse barrier stages for its sake.
        if settings.get("spark.dynamicAllocation.testing") == "true":
            self._context.conf().set("spark.dynamicAllocation.enabled", "false")
        self._lets_finish = settings.get("spark.decommission.enabled") == "true"
        self._sizing = threading.Lock()
        self._wanted, self._leaving = None, set()
        self.version = self._context.version()
        self.application_id = self._context.applicationId()
        address = self._context.uiWebUrl()
        self.ui_url = address.get() if address.isDefined() else None
        self.seconds = {
            "jvm": round(listening - jvm.started, 3),
            "session": round(time.monotonic() - listening, 3),
            "total": round(time.monotonic() - jvm.started, 3),
        }

    def open_gateway(self):
        """A py4j server for one kernel, in the same JVM: (server, port, secret)."""
        server = _class(self._jvm, "org.apache.spark.api.python.Py4JServer")(self._context.conf())
        server.start()
        return server, server.getListeningPort(), server.secret()

    def close_gateway(self, server, tag):
        """Ends a kernel's server and the Spark jobs it left running."""
        self._context.cancelJobsWithTag(tag)
        server.shutdown()

    def cancel(self, command_id):
        """Cancels the jobs of a command, those it has not started yet included.

        Spark refuses later jobs of a cancelled group, but not the map stages that adaptive execution submits on their
        own: one that is on its way while the group is cancelled would run to its end. So the group is cancelled again
        a few times, until nothing can be on its way any more.
        """
        self._context.cancelJobGroupAndFutureJobs(command_id)
        for delay in (0.1, 0.3, 1, 3):
            timer = threading.Timer(delay, self._cancel_again, (command_id,))
            timer.daemon = True
            timer.start()

    def _cancel_again(self, command_id):
        try:
            self._context.cancelJobGroupAndFutureJobs(command_id)
        except Py4JError:  # Spark has ended meanwhile, and all jobs with it.
            pass

    def add_jar(self, path):
        """Loads a jar for the sessions of all contexts and the executors."""
        self._session.sessionState().resourceLoader().addJar(path)

    def resize(self, count):
        """Has that many executors of a master: more as it has room, or fewer, the idle ones leaving first."""
        with self._sizing:
            nothing = _class(self._jvm, "scala.collection.immutable.HashMap")()
            self._context.requestTotalExecutors(count, 0, nothing)
            self._wanted = count
            self._let_go()

    def settle(self):
        """Lets go of executors that were on their way when fewer were asked for."""
        with self._sizing:
            if self._wanted is not None and len(self.executors() - self._leaving) > self._wanted:
                self._let_go()

    def _let_go(self):
        # Spark's backend knows who is there; its store of states, from which their tasks are, is told later.
        staying = self.executors() - self._leaving
        tasks = {each["id"]: each["active_tasks"] for each in self.stats()["executors"]}
        names = surplus(staying, tasks, self._wanted)
        if not names:
            return
        backend = self._context.schedulerBackend()
        if not self._lets_finish:
            listed = _class(self._jvm, "org.apache.spark.api.python.PythonUtils").toSeq(names)
            # The number that is wanted is known already, and a task that runs there runs again elsewhere.
            killed = backend.killExecutors(listed, False, False, True)
            self._leaving.update(filter(None, killed.mkString(",").split(",")))
            return
        # Takes no new tasks, ends the ones it has, hands what it keeps to the others, and leaves.
        nobody = _class(self._jvm, "scala.Option").empty()
        why = _class(self._jvm, "org.apache.spark.scheduler.ExecutorDecommissionInfo")("The cluster is smaller.", nobody)
        for name in names:
            if backend.decommissionExecutor(name, why, False, False):
                self._leaving.add(name)

    def executors(self):
        """The names of the executors that Spark has."""
        return set(filter(None, self._context.getExecutorIds().mkString(",").split(",")))

    def leaving(self):
        """The names of those that were told to leave."""
        with self._sizing:
            return set(self._leaving)

    def forget(self, names):
        """They have left."""
        with self._sizing:
            self._leaving -= names

    def warm_up(self):
        """Loads and compiles what the first query of a context needs."""
        self._session.newSession().sql("SELECT sum(id) FROM range(1000)").collect()

    def stats(self):
        """What the cluster is doing now, as plain values."""
        store = self._context.statusStore()
        executors = []
        listed = store.executorList(False).iterator()
        while listed.hasNext():
            executor = listed.next()
            executors.append(
                {
                    "id": executor.id(),
                    "host": executor.hostPort(),
                    "cores": executor.totalCores(),
                    "active_tasks": executor.activeTasks(),
                    "completed_tasks": executor.completedTasks(),
                    "failed_tasks": executor.failedTasks(),
                    "memory_used": executor.memoryUsed(),
                    "memory_max": executor.maxMemory(),
                    "is_active": executor.isActive(),
                }
            )
        tracker = self._context.statusTracker()
        runtime = _class(self._jvm, "java.lang.Runtime").getRuntime()
        return {
            "executors": executors,
            "active_jobs": len(tracker.getActiveJobIds()),
            "active_stages": len(tracker.getActiveStageIds()),
            "active_tasks": sum(each["active_tasks"] for each in executors),
            "pending_tasks": self._pending_tasks(tracker),
            "streams": self._streams(),
            "heap_used": runtime.totalMemory() - runtime.freeMemory(),
            "heap_max": runtime.maxMemory(),
        }

    @staticmethod
    def _pending_tasks(tracker):
        """Tasks of running stages that wait for a core."""
        pending = 0
        for number in list(tracker.getActiveStageIds())[:200]:
            found = tracker.getStageInfo(number)
            if found.isDefined():
                stage = found.get()
                pending += max(0, stage.numTasks() - stage.numCompletedTasks() - stage.numActiveTasks())
        return pending

    def _streams(self):
        """Structured streams of all contexts."""
        return self._session.sharedState().activeStreamingQueries().size()

    def stop(self):
        """Stops Spark in order; a JVM that is gone already is no error."""
        try:
            self._context.stop()
        except (Py4JError, OSError):
            # The JVM went away meanwhile; whoever waits for its process reports that.
            return


def unreachable(master, detail=""):
    """The master of a standalone cluster does not answer."""
    sentence = f"The Spark master {master} does not answer. Check its address and that it runs."
    return StartFailure("MASTER_UNREACHABLE", sentence, detail)


def expect_master(master, patience=0):
    """Asks whether anybody listens at a standalone master; Spark itself finds out after a minute.

    A master that is started together with us is given `patience` seconds to listen.
    """
    if not master.startswith("spark://"):
        return
    until = time.monotonic() + patience
    while True:
        reasons = _refusals(master)
        if not reasons:
            return
        if time.monotonic() >= until:
            raise unreachable(master, "\n".join(reasons))
        time.sleep(0.1)


def _refusals(master):
    """Why none of a master's addresses answers; nothing when one does."""
    reasons = []
    for address in master.removeprefix("spark://").split(","):
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
            return []
        except (OSError, ValueError) as error:
            reasons.append(f"{address}: {error}")
    return reasons


def _session_failure(config, jvm, error):
    text = str(error.java_exception)
    detail = text + "\n" + jvm_module.tail(jvm.log)
    short = text.split("\n")[0][:500]
    if jvm_module.looks_out_of_memory(text) or "System memory" in text:
        return StartFailure("OUT_OF_MEMORY", f"There is not enough memory for Spark: {short}", detail)
    if config.master.startswith("spark://") and "masters are unresponsive" in detail:
        return unreachable(config.master, detail)
    return StartFailure("SPARK_START_FAILED", f"Spark did not start: {short}. Look at {jvm.log}.", detail)
