"""A whole platform with the web page, started from the built programs in a folder of its own, its API, and a browser."""

import atexit
import base64
import functools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PICTURES = pathlib.Path(os.environ.get("HARBOUR_PICTURES", "/tmp/harbour-pictures"))
SIZE = {"width": 1360, "height": 850}
#: This machine, under a name by which browsers take it for another one that is reached over plain HTTP.
ELSEWHERE = "harbour.test"


def free_ports(count):
    """The first of that many neighbouring ports that nobody listens on."""
    # Below those that outgoing connections are given.
    for first in range(20000 + os.getpid() % 3000 * 4, 60000, count):
        sockets = []
        try:
            for port in range(first, first + count):
                one = socket.socket()
                sockets.append(one)
                one.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise RuntimeError("no ports are free")


class Platform:
    """What `harbour up` starts."""

    def __init__(self, binaries, page, runtime):
        self.binaries = binaries
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="harbour-page-"))
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        share = self.folder / "share"
        for made in (self.data / "runtime", share):
            made.mkdir(parents=True)
        (self.data / "runtime" / "current").symlink_to(os.path.realpath(runtime))
        for name, target in (("sql", ROOT / "schemas/sql"), ("samples", ROOT / "deploy/samples"), ("page", page)):
            (share / name).symlink_to(target)
        self.port = free_ports(4)
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            "HARBOUR_DATA": str(self.data),
            "HARBOUR_PORT": str(self.port),
            "HARBOUR_RESOURCES": str(share),
            "HARBOUR_DRIVER_RUNTIME_FOLDER": str(ROOT / "Libraries/Runtime"),
        }

    def harbour(self, *arguments):
        """Runs the command line to its end and returns what it printed."""
        done = subprocess.run(
            [f"{self.binaries}/harbour", *arguments], env=self.environment, capture_output=True, text=True, timeout=180
        )
        if done.returncode != 0:
            raise RuntimeError(f"harbour {' '.join(arguments)}: {done.stdout}{done.stderr}\n{self.logs()}")
        return done.stdout

    def up(self):
        self.harbour("up", "--timeout", "120")
        self.token = (self.data / "secrets/admin-token").read_text().strip()

    def down(self):
        """Ends everything and removes the folder."""
        try:
            self.harbour("down")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self, program):
        """Kills a program as `kill -9` does; the supervisor starts it again."""
        for line in self.harbour("status").splitlines():
            words = line.split()
            if words and words[0] == program:
                os.kill(int(words[2]), signal.SIGKILL)
                return
        raise RuntimeError(f"{program} does not run")

    def call(self, method, path, body=None):
        """Calls the API as the administrator."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"authorization": f"Bearer {self.token}", "content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode()}") from error

    def notebook(self, path, sources, outputs=None, metadata=None):
        """A notebook whose cells are called c0, c1 and so on, some with outputs by their numbers; answers its id."""
        cells = [
            {"cell_type": "code", "id": f"c{number}", "metadata": {}, "source": source, "execution_count": None,
             "outputs": (outputs or {}).get(number, [])} for number, source in enumerate(sources)]
        return self.notebook_of(path, cells, metadata)

    def notebook_of(self, path, cells, metadata=None):
        """A notebook of cells as its file has them, in place of what is there; answers its id."""
        document = {"cells": cells, "metadata": metadata or {}, "nbformat": 4, "nbformat_minor": 5}
        content = base64.b64encode(json.dumps(document).encode()).decode()
        return self.call("POST", "/api/v1/workspace/import", {
            "path": path, "content": content, "format": "JUPYTER", "overwrite": True})["object_id"]

    def logs(self, lines=25):
        """The last lines of all logs, for the message of a test that fails."""
        parts = []
        for log in sorted((self.data / "logs").glob("*.log")):
            parts += [f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-lines:]]
        return "\n".join(parts)


def eventually(what, condition, seconds=180):
    """Looks until the condition holds and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.1)


def paste(page, text):
    """Puts a text in place of what is selected, as the clipboard would: of what is typed, brackets would be closed."""
    page.evaluate(
        "(text) => { const clipboardData = new DataTransfer(); clipboardData.setData('text/plain', text);"
        " document.activeElement.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true })); }",
        text)


def twice(page, key):
    """Presses a key twice as one command, one press right after the other however slow the machine is."""
    page.evaluate(
        "(key) => { for (let press = 0; press < 2; press += 1) document.activeElement.dispatchEvent("
        "new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true })); }", key)


def write(page, number, text):
    """Puts a text in place of what a cell of a notebook has, counted from one."""
    cell = page.locator(".cell").nth(number - 1)

    def is_edited():
        # What comes above it may take it from under the pointer.
        if cell.locator(".editor").count() == 0:
            cell.locator(".cell-source").click()
        return cell.locator(".editor").count() > 0

    eventually("the cell is edited", is_edited)
    cell.locator(".monaco-editor textarea").wait_for()
    page.keyboard.press("Control+A")
    paste(page, text)


def dismiss(page):
    """Takes all notices away, also one that goes by itself at this moment."""
    page.locator(".toast [aria-label=Dismiss]").evaluate_all("(all) => { for (const one of all) one.click(); }")
    page.locator(".toast").first.wait_for(state="detached")


def interrupt(number, frame):
    raise KeyboardInterrupt


@functools.cache
def chromium():
    """The browser of all tests, which ends with the program: whoever needs one apart has a context of its own in it."""
    from playwright.sync_api import sync_playwright

    driver = sync_playwright().start()
    atexit.register(driver.stop)
    return driver.chromium.launch(
        executable_path=os.environ.get("HARBOUR_CHROMIUM", "/usr/bin/chromium"),
        args=["--no-sandbox", f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1"])


class Stage:
    """A platform, and a browser that looks at it: what the tests of a module share.

    It is made in `setUpModule`. What it has begun ends after the module's tests, also when the rest cannot begin.
    """

    def __init__(self, seconds=90, cluster=None):
        # Whoever only wants a platform needs no browser.
        from axe_playwright_python.sync_playwright import Axe
        from playwright.sync_api import expect

        self.browser = chromium()
        # Who is told to end in the middle of a test leaves nothing behind that runs.
        signal.signal(signal.SIGTERM, interrupt)
        atexit.register(unittest.doModuleCleanups)
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.seconds = seconds
        self.said, self.asked = [], []
        self.platform = Platform(
            os.environ["HARBOUR_BINARIES"], os.environ["HARBOUR_PAGE"], os.environ["HARBOUR_RUNTIME"])
        unittest.addModuleCleanup(self.platform.down)
        self.platform.up()
        if cluster:
            spec = {"spec": {"cluster_name": cluster}}
            self.cluster = self.platform.call("POST", "/api/v1/clusters", spec)["cluster_id"]
        unittest.addModuleCleanup(self.leave)
        expect.set_options(timeout=seconds * 1000)
        self.expect, self.axe = expect, Axe()
        if cluster:
            address = f"/api/v1/clusters/{self.cluster}"
            eventually("the cluster runs", lambda: self.platform.call("GET", address)["state"] == "RUNNING")

    def leave(self):
        """Closes all pages; the platform has not gone yet."""
        for context in self.browser.contexts:
            context.close()

    def new_page(self, context=None, said=None):
        """A page, in a browser of its own unless one is given; what it complains of is kept in `said`."""
        said = self.said if said is None else said
        page = (context or self.new_context()).new_page()
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda line: said.append(line.text) if "Content Security Policy" in line.text else None)
        page.on("request", lambda request: self.asked.append(request.url))
        return page

    def new_context(self, **more):
        """A browser of somebody's own."""
        context = self.browser.new_context(**{"viewport": SIZE, "reduced_motion": "reduce", **more})
        context.set_default_timeout(self.seconds * 1000)
        return context

    def sign_in(self, page, path, token=None, host="127.0.0.1"):
        """Goes to a path as somebody who has to sign in first: the administrator, unless it is another's token."""
        page.goto(f"http://{host}:{self.platform.port}{path}")
        page.get_by_label("Sign-in token").fill(token or self.platform.token)
        page.keyboard.press("Enter")
        # The page to sign in has a heading too.
        self.expect(page.get_by_label("Sign-in token")).to_have_count(0)
        self.expect(page.locator("h1")).to_be_visible()
