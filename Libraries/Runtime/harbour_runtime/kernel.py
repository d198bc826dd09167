"""`python -m harbour_runtime.kernel -f FILE`: an ipykernel that knows commands, contexts and Spark (see README.md)."""

import asyncio
import os
import signal
import sys
import threading
import traceback
from contextlib import contextmanager

from ipykernel.ipkernel import IPythonKernel
from ipykernel.jsonutil import json_clean
from ipykernel.kernelapp import IPKernelApp
from ipykernel.zmqshell import ZMQInteractiveShell

from . import errors, magics, overlay, processes, session, showing, sql_names
from .command import current
from .utilities import NotebookExit, dbutils
from .link import cancel_current, link

_PRELOAD = "pyarrow,pandas,matplotlib.pyplot"


class HarbourShell(ZMQInteractiveShell):
    """The IPython shell with our way of showing errors."""

    shown_error = None

    def showtraceback(
        self, exc_tuple=None, filename=None, tb_offset=None, exception_only=False, running_compiled_code=False
    ):
        kind, error, trace = self._get_exc_info(exc_tuple)
        if issubclass(kind, NotebookExit):
            self._last_traceback = []
            return
        if issubclass(kind, SyntaxError):
            self._remember(errors.Description(error), error)
            super().showtraceback(exc_tuple, filename, tb_offset, exception_only, running_compiled_code)
            return
        if kind is asyncio.CancelledError:
            kind, error = KeyboardInterrupt, KeyboardInterrupt()
        description = errors.Description(error)
        quiet = isinstance(error, errors.QuietError) or kind is KeyboardInterrupt
        if quiet:
            lines = [f"{description.name}: {description.message}" if description.message else description.name]
        else:
            shown = errors.stand_in(description) if description.from_spark else error
            try:
                with errors.folded(shown):
                    lines = self.InteractiveTB.structured_traceback(type(shown), shown, errors.fold(trace), tb_offset=0)
            except Exception:
                # An error whose own code fails while it is shown is still an error, and the cell's answer.
                lines = traceback.format_exception(type(shown), shown, errors.fold(trace))
        self._remember(description, error)
        self._showtraceback(kind, error, lines)

    def _remember(self, description, error):
        self.shown_error = (description.name, description.message, description.metadata(error))

    def _showtraceback(self, etype, evalue, stb):
        sys.stdout.flush()
        sys.stderr.flush()
        hook = self.displayhook
        if getattr(hook, "msg", None) is not None:
            self._last_traceback_during_displayhook = True
        name, message, metadata = self.shown_error or (etype.__name__, str(evalue), {})
        content = {"ename": name, "evalue": message, "traceback": stb}
        topic = hook.topic.replace(b"execute_result", b"error") if hook.topic else None
        hook.session.send(
            hook.pub_socket,
            "error",
            json_clean(content),
            hook.parent_header,
            ident=topic,
            metadata=json_clean({"dataharbour": metadata}),
        )
        self._last_traceback = stb


class HarbourKernel(IPythonKernel):
    """One context's Python."""

    implementation = "dataharbour"
    shell_class = HarbourShell

    async def do_execute(
        self,
        code,
        silent,
        store_history=True,
        user_expressions=None,
        allow_stdin=False,
        *,
        cell_meta=None,
        cell_id=None,
    ):
        options = (cell_meta or {}).get("dataharbour")
        options = options if isinstance(options, dict) else {}
        header = self.get_parent("shell").get("header", {})
        command_id = options.get("command_id") or header.get("msg_id", "")
        current.begin(str(command_id), code, options.get("max_rows"), options.get("max_bytes"))
        self.shell.shown_error = None
        try:
            if "attach" in options:
                self._attach(options["attach"])
            dbutils.widgets.begin(options.get("widgets"))
            code = magics.with_language(code, options.get("language", "python"))
        except Exception as error:
            return self._failed(error, silent)
        reply = await super().do_execute(
            code, silent, store_history, user_expressions, allow_stdin, cell_meta=cell_meta, cell_id=cell_id
        )
        self._tell_widgets()
        return self._finished(reply)

    def _tell_widgets(self):
        """Says what the command has changed of the notebook's widgets, also when it failed later on."""
        changes = dbutils.widgets.changes()
        if changes:
            showing.publish({showing.WIDGETS_MIME: changes})

    def _attach(self, values):
        if not isinstance(values, dict) or not isinstance(values.get("context_id"), str):
            raise ValueError("An attach needs a context_id.")
        session.attach(
            values["context_id"], values.get("parameters"), values.get("task_values"), namespace=self.shell.user_ns
        )

    def _failed(self, error, silent):
        """An error before the code ran: the reply carries it, and readers of the output see it unless silent."""
        description = errors.Description(error)
        lines = [f"{description.name}: {description.message}"]
        if not silent:
            self.shell._remember(description, error)
            self.shell._showtraceback(type(error), error, lines)
        return {
            "status": "error",
            "ename": description.name,
            "evalue": description.message,
            "traceback": lines,
            "execution_count": self.shell.execution_count,
            "user_expressions": {},
            "payload": [],
        }

    def _finished(self, reply):
        if reply.get("status") != "error":
            return reply
        if reply.get("ename") == NotebookExit.__name__:
            kept = {name: reply[name] for name in ("execution_count", "payload")}
            return {"status": "ok", "user_expressions": {}, **kept}
        if self.shell.shown_error:
            reply["ename"], reply["evalue"], _ = self.shell.shown_error
        return reply

    # --- code that is being written

    def _is_sql(self):
        """Whether the message that is being answered is about SQL; the code itself does not say."""
        options = self.get_parent("shell").get("metadata", {}).get("dataharbour")
        return isinstance(options, dict) and options.get("language") == "sql"

    def do_complete(self, code, cursor_pos):
        if not self._is_sql():
            return super().do_complete(code, cursor_pos)
        start, found = sql_names.complete(code, cursor_pos)
        place = {"start": start, "end": cursor_pos}
        return {
            "status": "ok",
            "matches": [text for text, _ in found],
            "cursor_start": start,
            "cursor_end": cursor_pos,
            "metadata": {"_jupyter_types_experimental": [{**place, "text": text, "type": kind} for text, kind in found]},
        }

    def do_inspect(self, code, cursor_pos, detail_level=0, omit_sections=()):
        if not self._is_sql():
            return super().do_inspect(code, cursor_pos, detail_level, omit_sections)
        text = sql_names.inspect(code, cursor_pos)
        data = {} if text is None else {"text/plain": text}
        return {"status": "ok", "found": text is not None, "data": data, "metadata": {}}

    # --- interrupts: the command's Spark jobs end with its Python code

    def pre_handler_hook(self):
        self.saved_sigint_handler = signal.signal(signal.SIGINT, _interrupted)

    @contextmanager
    def _cancel_on_sigint(self, future):
        """For cells that await: the signal cancels their task, on the loop that runs it."""
        loop = asyncio.get_running_loop()

        def stop(number, frame):
            cancel_current()
            loop.call_soon_threadsafe(future.cancel)

        saved = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, saved)


def _interrupted(number, frame):
    cancel_current()
    signal.default_int_handler(number, frame)


def _preload(names):
    """Imports what most notebooks use while the kernel waits to be attached."""
    for name in filter(None, names.split(",")):
        try:
            __import__(name)
        except ImportError:
            # The cell that needs it will say so better than we could here.
            continue


def _preload_when_ready():
    def run():
        if link.wait():
            _preload(os.environ.get("HARBOUR_PRELOAD", _PRELOAD))

    threading.Thread(target=run, name="harbour-preload", daemon=True).start()


def main():
    """The program."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    parent = os.getppid()
    processes.when_process_ends(parent, lambda: processes.kill_group(os.getpid()))
    overlay.activate()
    link.start()
    app = IPKernelApp.instance(kernel_class=HarbourKernel)
    # A kernel of a cluster has no history of its own: revisions are kept by the workspace.
    app.config.HistoryManager.enabled = False
    app.config.HistoryManager.hist_file = ":memory:"
    # Jedi reads the sources of a library before its first answer, seconds in which no cell can begin. What cells have
    # made is known without it, and at once.
    app.config.Completer.use_jedi = False
    app.config.InteractiveShell.colors = "nocolor"
    app.initialize()
    shell = app.kernel.shell
    shell.user_ns.update(session.names())
    shell.user_ns_hidden.update(session.names())
    magics.install(shell)
    showing.install(shell)
    _preload_when_ready()
    app.start()


if __name__ == "__main__":
    main()
