"""The host's door to its kernels: a unix socket over which a kernel says who it is and gets a gateway of its own.

The connection is the kernel's life line both ways: when the kernel dies its jobs and processes are ended, and when the
host dies the kernel sees the end of its stream and exits.
"""

import json
import os
import socket
import struct

from . import processes

_LINE_LIMIT = 1 << 16


class KernelDoor:
    """Listens at `path`. Runs on the host's loop; the blocking parts go to the host's threads."""

    def __init__(self, path, host):
        self.path, self._host = path, host
        self._links = set()
        self._refusal = None
        if os.path.lexists(path):
            os.unlink(path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.listener.bind(path)
        os.chmod(path, 0o600)
        self.listener.listen(64)
        self.listener.setblocking(False)

    @property
    def count(self):
        """How many kernels are connected."""
        return len(self._links)

    def on_connect(self):
        try:
            connection, _ = self.listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        pid, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if user not in (0, os.getuid()):
            connection.close()
            return
        self._links.add(KernelLink(connection, pid, self, self._host))

    def on_ready(self):
        """Spark runs: kernels that waited get their gateways."""
        for link in list(self._links):
            link.open_gateway()

    def refuse(self, code, message):
        """Spark will not run: tells the kernels that wait."""
        for link in list(self._links):
            link.send({"event": "unavailable", "code": code, "message": message})

    def forget(self, link):
        self._links.discard(link)

    def close(self):
        self.listener.close()
        for link in list(self._links):
            link.connection.close()
        if os.path.lexists(self.path):
            os.unlink(self.path)


class KernelLink:
    """One connected kernel."""

    def __init__(self, connection, pid, door, host):
        self.connection, self._pid, self._door, self._host = connection, pid, door, host
        self.tag = f"harbour-kernel-{pid}"
        self._server = None
        self._ended = False
        self._wants_gateway = False
        self._groups = set()
        self._input = b""
        connection.setblocking(False)
        host.watch(connection, self._on_input)

    def send(self, message):
        """Sends a line; a kernel that does not take it is about to be found dead."""
        try:
            self.connection.sendall((json.dumps(message) + "\n").encode())
        except OSError:
            return

    def _on_input(self):
        try:
            data = self.connection.recv(65536)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        *lines, self._input = (self._input + data).split(b"\n")
        if not data or len(self._input) > _LINE_LIMIT:
            self._end()
            return
        for line in lines:
            self._on_line(line)

    def _on_line(self, line):
        try:
            request = json.loads(line)
            operation = request["op"]
        except (ValueError, KeyError, TypeError):
            self._end()
            return
        if operation == "open":
            self._wants_gateway = True
            self.open_gateway()
        elif operation == "cancel" and self._host.application:
            self._host.in_background(self._host.application.cancel, str(request.get("command_id")))
        elif operation == "group" and isinstance(request.get("id"), int) and request["id"] > 1:
            self._groups.add(request["id"])
        elif operation == "group_ended":
            self._groups.discard(request.get("id"))

    def open_gateway(self):
        """Opens the kernel's py4j server once it asked for one and Spark runs."""
        application = self._host.application
        if application and self._wants_gateway and not self._server:
            self._wants_gateway = False
            self._host.in_background(application.open_gateway, then=self._on_gateway)

    def _on_gateway(self, result, error):
        if error:
            self.send({"event": "unavailable", "code": "SPARK_LOST", "message": f"Spark gave no gateway: {error}"})
            return
        self._server, port, secret = result
        if self._ended:
            self._close_gateway()
            return
        self.send({"event": "gateway", "port": port, "secret": secret, "job_tag": self.tag})

    def _end(self):
        """The kernel is gone: whatever it started goes as well."""
        self._ended = True
        self._door.forget(self)
        self._host.unwatch(self.connection)
        self.connection.close()
        for group in {*self._groups, self._pid}:
            processes.kill_group(group)
        if self._server:
            self._close_gateway()

    def _close_gateway(self):
        server, self._server = self._server, None
        self._host.in_background(self._host.application.close_gateway, server, self.tag)
