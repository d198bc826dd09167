"""`dbutils.secrets`: values that the driver has asked for on behalf of whoever gave the command.

The question goes the way of `input()`, the stdin channel of the Jupyter protocol
(https://jupyter-client.readthedocs.io/en/stable/messaging.html), with a member of ours in which it says what it wants.
"""

import collections
import json
import sys
import threading
import time
import uuid

from .errors import QuietError

# Longer than the driver waits for its answer, which is a clear error.
_PATIENCE_SECONDS = 90

SecretMetadata = collections.namedtuple("SecretMetadata", ["key"])
SecretScope = collections.namedtuple("SecretScope", ["name"])


class SecretError(QuietError):
    """A secret that cannot be read, and why."""


def _kernel():
    from IPython import get_ipython

    shell = get_ipython()
    return getattr(shell, "kernel", None)


def _ask(operation, **names):
    """The answer of the driver."""
    kernel = _kernel()
    if kernel is None:
        raise SecretError("Secrets can be read in a notebook only; a program finds those of its cluster in os.environ.")
    if threading.current_thread() is not threading.main_thread():
        raise SecretError("Secrets can be read by a cell itself, not by a thread of it. Read them before it starts.")
    for name, value in names.items():
        if not isinstance(value, str) or not 1 <= len(value) <= 128:
            raise SecretError(f"The {name} has to be a text of 1 to 128 characters.")
    sys.stdout.flush()
    sys.stderr.flush()
    question = {"id": uuid.uuid4().hex, "operation": operation, **names}
    answer = _exchange(kernel, question)
    if "error" in answer:
        raise SecretError(answer["error"]["message"])
    return answer


def _exchange(kernel, question):
    socket, parent = kernel.stdin_socket, kernel.get_parent("shell")
    content = {"prompt": "", "password": True, "dataharbour": question}
    kernel.session.send(socket, "input_request", content, parent, ident=kernel._parent_ident["shell"])
    end = time.monotonic() + _PATIENCE_SECONDS
    while (left := end - time.monotonic()) > 0 and socket.poll(left * 1000):
        _, message = kernel.session.recv(socket)
        answer = _read(message)
        # That to a question which was interrupted may come now.
        if answer.get("id") == question["id"]:
            return answer
    raise SecretError("The driver did not answer. Run the cell again.")


def _read(message):
    try:
        answer = json.loads(message["content"]["value"])
    except (TypeError, KeyError, ValueError):
        return {}
    return answer if isinstance(answer, dict) else {}


class Secrets:
    """`dbutils.secrets`: what whoever runs the cell may read. Outputs and logs show `[REDACTED]` instead."""

    def get(self, scope, key):
        """A secret. Raises `SecretError` for one that is not there, or that one may not read."""
        return _ask("get", scope=scope, key=key)["value"]

    def getBytes(self, scope, key):  # noqa: N802, the field's name for it
        """The same as bytes."""
        return self.get(scope, key).encode()

    def list(self, scope):
        """The keys of a scope, by name."""
        return [SecretMetadata(name) for name in _ask("list", scope=scope)["names"]]

    def listScopes(self):  # noqa: N802
        """The scopes that one may read."""
        return [SecretScope(name) for name in _ask("list_scopes")["names"]]
