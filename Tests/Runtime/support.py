"""Real Spark hosts and real kernels for the tests, spoken to as the driver speaks to them."""

import json
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

RUNTIME = pathlib.Path(__file__).resolve().parents[2] / "Libraries" / "Runtime"
sys.path.insert(0, str(RUNTIME))

LONG = 90  # seconds no wait of a test should ever need


def environment(extra=None):
    """This process's environment with our package on the path."""
    path = os.pathsep.join(filter(None, [str(RUNTIME), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **(extra or {})}


def archive():
    """An AppCDS archive to start faster with, where set-up made one."""
    made = os.environ.get("HARBOUR_ARCHIVE") or os.path.join(sys.prefix, "spark.jsa")
    return made if os.path.exists(made) else None


class Host:
    """A running spark_host."""

    def __init__(self, **config):
        self.folder = tempfile.mkdtemp(prefix="rt-", dir="/tmp")
        config = {"scratch_dir": os.path.join(self.folder, "s"), "archive": archive(), **config}
        self.config_path = os.path.join(self.folder, "config.json")
        with open(self.config_path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        self.scratch = config["scratch_dir"]
        self.errors = open(os.path.join(self.folder, "stderr"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "harbour_runtime.spark_host", "--config", self.config_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=environment(),
        )
        self._events = queue.Queue()
        # What is told of executors comes at any time, between the others.
        self.executors = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.ready = None

    def _read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == "executors":
                self.executors.append(event)
            else:
                self._events.put(event)
        self._events.put(None)

    def expect(self, *names):
        """The next event, which has to be one of these."""
        event = self._events.get(timeout=LONG)
        if event is None or event["event"] not in names:
            self.errors.seek(0)
            raise AssertionError(f"expected {names}, got {event}; stderr: {self.errors.read()}")
        return event

    def start(self):
        """Waits until Spark is ready."""
        self.kernel_env = self.expect("listening")["kernel_env"]
        self.ready = self.expect("ready")
        return self

    def ask(self, **request):
        """Sends a request and returns the next event."""
        self.send(**request)
        return self._events.get(timeout=LONG)

    def send(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def close(self):
        """Ends the host as a driver that died would."""
        self.process.stdin.close()
        self.process.wait(LONG)
        self._reader.join(LONG)
        self.process.stdout.close()
        self.errors.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Result:
    """What a command gave."""

    def __init__(self):
        self.reply, self.outputs, self.text = None, [], ""
        self.error, self.error_metadata = None, {}

    def data(self, mime):
        """The outputs of this mime type."""
        return [data[mime] for data in self.outputs if mime in data]

    @property
    def table(self):
        """The last table."""
        tables = self.data("application/vnd.dataharbour.table+json")
        return tables[-1] if tables else None


class Kernel:
    """A running kernel, reached over ipc."""

    def __init__(self, host=None, env=None):
        from jupyter_client import BlockingKernelClient
        from jupyter_client.connect import write_connection_file

        self.folder = tempfile.mkdtemp(prefix="rk-", dir="/tmp")
        path, _ = write_connection_file(
            os.path.join(self.folder, "k.json"), transport="ipc", ip=os.path.join(self.folder, "c"), key=b"secret"
        )
        self.log = open(os.path.join(self.folder, "log"), "w+", encoding="utf-8")
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "harbour_runtime.kernel", "-f", path],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            env=environment({**(host.kernel_env if host else {}), **(env or {})}),
        )
        self.client = BlockingKernelClient(connection_file=path)
        self.client.load_connection_file()
        self.client.start_channels(hb=False)
        self.client.wait_for_ready(timeout=LONG)
        self.ready_seconds = time.monotonic() - self.started

    def attach(self, context_id, parameters=None, task_values=None):
        """Makes it the context's kernel."""
        values = {"context_id": context_id, "parameters": parameters or {}, "task_values": task_values or {}}
        started = time.monotonic()
        result = self.run("", silent=True, attach=values)
        self.attach_seconds = time.monotonic() - started
        return result

    def submit(self, code, silent=False, **options):
        """Sends a command; returns its message id."""
        client = self.client
        content = {
            "code": code,
            "silent": silent,
            "store_history": not silent,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        }
        message = client.session.msg("execute_request", content, metadata={"dataharbour": options})
        client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def collect(self, msg_id, until=None):
        """Gathers a command's outputs up to its end, or until `until(result)` holds."""
        result = Result()
        limit = time.monotonic() + LONG
        while until is None or not until(result):
            message = self.client.get_iopub_msg(timeout=max(0.1, limit - time.monotonic()))
            if message["parent_header"].get("msg_id") != msg_id:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                result.text += content["text"]
            elif kind in ("display_data", "execute_result"):
                result.outputs.append(content["data"])
            elif kind == "error":
                result.error, result.error_metadata = content, message["metadata"].get("dataharbour", {})
            elif kind == "status" and content["execution_state"] == "idle":
                break
        else:
            return result
        while True:
            reply = self.client.get_shell_msg(timeout=LONG)
            if reply["parent_header"].get("msg_id") == msg_id:
                result.reply = reply["content"]
                return result

    def run(self, code, **options):
        """Runs a command to its end."""
        return self.collect(self.submit(code, **options))

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def close(self):
        self.client.stop_channels()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(LONG)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def alive(pid):
    """Whether a process runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, what):
    """Waits for a condition of another process that gives no event to wait on."""
    limit = time.monotonic() + LONG
    while not condition():
        if time.monotonic() > limit:
            raise AssertionError(f"never happened: {what}")
        time.sleep(0.05)


def wait_gone(pids):
    """Waits until processes are gone, by their pidfds."""
    import select

    limit = time.monotonic() + LONG
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        ended = poller.poll(max(0, limit - time.monotonic()) * 1000)
        os.close(fd)
        if not ended:
            raise AssertionError(f"process {pid} still runs")


def descendants(pid):
    """All processes below one."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8") as file:
                    parent = int(file.read().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found
