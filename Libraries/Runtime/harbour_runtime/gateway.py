"""A kernel's py4j client: Spark jobs of every Python thread carry the running command's group.

Spark keeps a job's group on the Java thread, and py4j gives each Python thread a Java thread of its own. So the group
is set where a thread's connection is taken: late (cells that do not touch Spark pay nothing) and for all threads alike.
"""

import logging

from py4j import protocol
from py4j.clientserver import ClientServer, ClientServerConnection, JavaClient, JavaParameters, PythonParameters
from py4j.java_gateway import java_import

from .command import current

# What pyspark's own launcher imports into the gateway's view (a test compares the two).
IMPORTS = (
    "org.apache.spark.SparkConf",
    "org.apache.spark.api.java.*",
    "org.apache.spark.api.python.*",
    "org.apache.spark.ml.python.*",
    "org.apache.spark.mllib.api.python.*",
    "org.apache.spark.resource.*",
    "org.apache.spark.sql.Encoders",
    "org.apache.spark.sql.OnSuccessCall",
    "org.apache.spark.sql.functions",
    "org.apache.spark.sql.classic.*",
    "org.apache.spark.sql.api.python.*",
    "org.apache.spark.sql.hive.*",
    "scala.Tuple2",
)


class _Connection(ClientServerConnection):
    """A connection that is given up when an exchange over it is interrupted: its answer would be read by the next."""

    def send_command(self, command):
        try:
            return super().send_command(command)
        except KeyboardInterrupt:
            self.close()
            raise


class _CommandClient(JavaClient):
    """Marks a connection with the running command before a request goes over it."""

    context_id = None  # py4j's ids of JVM objects, set once the session is there.
    session_id = None
    properties = ()

    def _create_new_connection(self):
        connection = _Connection(self.java_parameters, self.python_parameters, self.gateway_property, self)
        connection.connect_to_java_server()
        self.set_thread_connection(connection)
        return connection

    def _get_connection(self):
        connection = super()._get_connection()
        if self.context_id and getattr(connection, "harbour_version", None) != current.version:
            # First, so that a failure while marking does not repeat for ever.
            fresh = not hasattr(connection, "harbour_version")
            connection.harbour_version = current.version
            self._mark(connection, fresh)
        return connection

    def _mark(self, connection, fresh):
        if fresh:
            for name, value in self.properties:
                self._call(connection, self.context_id, "setLocalProperty", name, value)
            session = "z:org.apache.spark.sql.classic.SparkSession"
            _send(connection, f"c\n{session}\nsetActiveSession\nr{self.session_id}\ne\n")
        self._call(connection, self.context_id, "setLocalProperty", "spark.jobGroup.id", current.command_id)
        self._call(connection, self.context_id, "setLocalProperty", "spark.job.description", current.description)

    def _call(self, connection, target, method, *arguments):
        parts = "".join(protocol.get_command_part(argument) for argument in arguments)
        _send(connection, f"{protocol.CALL_COMMAND_NAME}{target}\n{method}\n{parts}{protocol.END_COMMAND_PART}")


def _send(connection, command):
    answer = connection.send_command(command)
    if protocol.is_error(answer)[0]:
        raise protocol.Py4JError("The command's Spark properties could not be set.")


class _Gateway(ClientServer):
    def _create_gateway_client(self):
        return _CommandClient(
            self.java_parameters, self.python_parameters, finalizer_deque=self._create_finalizer_worker()
        )


def connect(port, secret):
    """Connects to the kernel's own py4j server and imports what pyspark expects."""
    # py4j writes a whole traceback to the root logger for each interrupt; the user sees the interrupt itself.
    logging.getLogger().addFilter(lambda record: "while sending command" not in str(record.msg))
    gateway = _Gateway(
        java_parameters=JavaParameters(port=port, auth_token=secret, auto_convert=True),
        python_parameters=PythonParameters(port=0, eager_load=False),
    )
    gateway.proc = None
    for name in IMPORTS:
        java_import(gateway.jvm, name)
    return gateway


def carry_commands(gateway, java_context, java_session, job_tag):
    """From now on each thread's jobs carry the command's group and the kernel's tag, and share the cluster fairly."""
    client = gateway._gateway_client
    client.properties = (("spark.job.tags", job_tag), ("spark.scheduler.pool", job_tag))
    client.session_id = java_session._target_id
    client.context_id = java_context._target_id
