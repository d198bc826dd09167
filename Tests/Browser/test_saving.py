"""Saving when the network or the server does not do as it should: nobody is in conflict with themselves.

The settings are those of test_page.py.
"""

import base64
import contextlib
import json
import re
import unittest

from harbour import Stage, eventually, paste, twice, write
from playwright.sync_api import expect


def setUpModule():
    global stage, platform
    stage = Stage(seconds=120)
    platform = stage.platform


class SavingTests(unittest.TestCase):
    def setUp(self):
        self.context = stage.new_context()
        self.addCleanup(self.context.close)

    def open(self, sources, outputs=None, **metadata):
        """A notebook, and a browser that looks at it; the answers to what it asks can be held or lost."""
        path = f"/Shared/{self._testMethodName}"
        self.notebook = platform.notebook(path, sources, outputs, metadata)
        self.page = stage.new_page(self.context)
        self.sockets, self.held = [], []
        self.then = {}
        self.page.route_web_socket(re.compile("/api/v1/live"), self.relay)
        self.page.route(re.compile(rf"/api/v1/notebooks/{self.notebook}(\?.*)?$"), self.answer)
        stage.sign_in(self.page, f"/workspace{path}")
        expect(self.page.locator(".cell")).to_have_count(len(sources))
        eventually("it is followed", lambda: self.page.evaluate("true") and len(self.sockets) > 0)

    def relay(self, socket):
        socket.connect_to_server()
        self.sockets.append(socket)

    def answer(self, route):
        """The server has done what was asked; whether the page hears of it is up to the test."""
        then = self.then.pop(route.request.method, None)
        if then is None:
            route.continue_()
        elif callable(then):
            then()
            route.continue_()
        elif then == "lose":
            self.held.append(route.fetch().status)
            route.abort("connectionreset")
        else:
            self.held.append((route, route.fetch()))

    @contextlib.contextmanager
    def cut_off(self):
        """Meanwhile the page hears of nothing and gets nothing through, in whatever order things happen."""
        self.context.set_offline(True)
        self.page.evaluate("dispatchEvent(new Event('offline'))")
        try:
            yield
        finally:
            self.context.set_offline(False)
            self.page.evaluate("dispatchEvent(new Event('online'))")

    def wait_for_held(self):
        eventually("the request has been answered", lambda: self.page.evaluate("true") and len(self.held) > 0)
        return self.held.pop()

    def reset(self):
        """Says that the page has missed too much, as a server does whose events are gone."""
        self.sockets[-1].send(json.dumps({"type": "RESET", "topic": f"notebooks/{self.notebook}", "sequence": 0}))

    def write(self, number, text):
        write(self.page, number, text)

    def sources(self):
        cells = platform.call("GET", f"/api/v1/notebooks/{self.notebook}")["document"]["cells"]
        return ["".join(cell["source"]) for cell in cells]

    def expect_saved(self, sources):
        eventually("it is saved", lambda: self.page.evaluate("true") and self.sources() == sources)
        expect(self.page.get_by_text("Saved", exact=True)).to_be_visible()
        expect(self.page.get_by_role("dialog")).to_have_count(0)
        for number, source in enumerate(sources):
            expect(self.page.locator(".cell").nth(number)).to_contain_text(source)

    def test_a_lost_answer_is_no_conflict(self):
        """What was saved without the page's knowing is its own: what was written since goes on top of it."""
        self.open(["one = 1", "kept = 0"])
        self.then["PUT"] = "lose"
        self.write(1, "one = 2")
        self.assertEqual(self.wait_for_held(), 200)
        self.write(1, "one = 3")
        self.expect_saved(["one = 3", "kept = 0"])
        # Nor does a cell come back that was deleted after it had been saved so.
        self.then["PUT"] = "lose"
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("b")
        self.assertEqual(self.wait_for_held(), 200)
        twice(self.page, "d")
        self.expect_saved(["one = 3", "kept = 0"])

    def test_a_lost_answer_hides_nobody(self):
        """What somebody else has written meanwhile is not taken for one's own."""
        self.open(["one = 1", "two = 1"])
        self.then["PUT"] = "lose"
        self.write(1, "one = 2")
        self.assertEqual(self.wait_for_held(), 200)
        with self.cut_off():
            theirs = platform.call("GET", f"/api/v1/notebooks/{self.notebook}")
            theirs["document"]["cells"][0]["source"] = "theirs = 1"
            platform.call("PUT", f"/api/v1/notebooks/{self.notebook}", {
                "base_revision_id": theirs["revision_id"], "document": theirs["document"]})
            self.write(1, "one = 3")
        dialog = self.page.get_by_role("dialog")
        expect(dialog).to_contain_text("Somebody else has saved this notebook")
        expect(dialog).to_contain_text("theirs = 1")
        dialog.get_by_role("button", name="Save mine on top").click()
        self.expect_saved(["one = 3", "two = 1"])

    def test_of_a_deletion_and_a_text_the_text_stays(self):
        """The server refuses what would delete a cell that somebody else has written in meanwhile: it is there again."""
        self.open(["one = 1", "two = 1", "three = 1"])

        def others(number, source):
            theirs = platform.call("GET", f"/api/v1/notebooks/{self.notebook}")
            if source is None:
                del theirs["document"]["cells"][number]
            else:
                theirs["document"]["cells"][number]["source"] = source
            platform.call("PUT", f"/api/v1/notebooks/{self.notebook}", {
                "base_revision_id": theirs["revision_id"], "document": theirs["document"]})

        self.then["PUT"] = lambda: others(0, "theirs = 1")
        self.page.locator(".cell").nth(0).focus()
        self.page.keyboard.press("Escape")
        twice(self.page, "d")
        self.expect_saved(["theirs = 1", "two = 1", "three = 1"])
        # And so it is the other way round.
        self.then["PUT"] = lambda: others(1, None)
        self.write(2, "mine = 1")
        self.expect_saved(["theirs = 1", "mine = 1", "three = 1"])

    def test_a_copy_has_the_widgets(self):
        """What is kept as a copy has the values that were chosen, and not those that the file came with."""
        info = {"widgetType": "text", "defaultValue": "one", "label": "Area", "name": "area", "options": {"widgetType": "text"}}
        about = {"language": "python", "widgets": {"area": {"currentValue": "north", "widgetInfo": info}}}
        self.open(["one = 1"], **{"application/vnd.databricks.v1+notebook": about})
        field = self.page.get_by_label("Area", exact=True)
        expect(field).to_have_value("north")
        field.fill("south")
        field.press("Enter")
        address = f"/api/v1/notebooks/{self.notebook}"
        chosen = lambda notebook: [
            one.get("value") for one in platform.call("GET", f"/api/v1/notebooks/{notebook}/execution")["widgets"]]
        eventually("it is chosen", lambda: self.page.evaluate("true") and chosen(self.notebook) == ["south"])
        self.then["PUT"] = "lose"
        self.write(1, "mine = 1")
        self.assertEqual(self.wait_for_held(), 200)
        with self.cut_off():
            theirs = platform.call("GET", address)
            theirs["document"]["cells"][0]["source"] = "theirs = 1"
            platform.call("PUT", address, {"base_revision_id": theirs["revision_id"], "document": theirs["document"]})
            self.write(1, "mine = 2")
        self.page.get_by_role("button", name="Take theirs, keep mine as a copy").click()
        expect(self.page.get_by_text("Yours is kept as")).to_be_visible()
        self.expect_saved(["theirs = 1"])
        copies = platform.call("GET", "/api/v1/workspace/list?path=/Shared")["objects"]
        [copy] = [one["object_id"] for one in copies if one["path"].startswith(f"/Shared/{self._testMethodName} (copy")]
        self.assertEqual(chosen(copy), ["south"])
        source = platform.call("GET", f"/api/v1/notebooks/{copy}")["document"]["cells"][0]["source"]
        self.assertEqual("".join(source), "mine = 2")

    def test_a_file_is_saved_again(self):
        path = f"/Shared/{self._testMethodName}.txt"
        platform.call("POST", "/api/v1/workspace/import", {
            "path": path, "content": base64.b64encode(b"one\n").decode(), "format": "AUTO"})
        self.page = page = stage.new_page(self.context)
        self.held, self.then = [], {}
        page.route(re.compile("/api/v1/workspace/import$"), self.answer)
        stage.sign_in(page, f"/workspace{path}")
        page.get_by_role("button", name="Edit").click()
        page.locator(".monaco-editor textarea").wait_for()

        def write(text):
            page.locator(".monaco-editor textarea").focus()
            page.keyboard.press("Control+A")
            paste(page, text)

        self.then["POST"] = "lose"
        # When the connection is back, the file is read again, of which there is a newer revision: the editor stays as it is.
        with page.expect_response(re.compile("/api/v1/files/preview.*is_saved_again")) as reading:
            write("two\n")
            page.keyboard.press("Control+S")
            self.assertEqual(self.wait_for_held(), 200)
            expect(page.locator(".note.bad")).to_be_visible()
            page.evaluate("for (const one of ['offline', 'online']) dispatchEvent(new Event(one))")
            write("three\n")
        reading.value.finished()
        page.keyboard.press("Control+S")
        expect(page.get_by_role("status").filter(has_text=re.compile("^Saved$"))).to_be_visible()
        expect(page.get_by_text("Somebody else has saved")).to_have_count(0)
        address = f"/api/v1/workspace/export?path={path}"
        self.assertEqual(base64.b64decode(platform.call("GET", address)["content"]), b"three\n")

    def test_a_second_save_of_a_file_waits(self):
        """It is not in conflict with the first, and what was typed in between is saved too."""
        path = f"/Shared/{self._testMethodName}.txt"
        platform.call("POST", "/api/v1/workspace/import", {
            "path": path, "content": base64.b64encode(b"one\n").decode(), "format": "AUTO"})
        self.page = page = stage.new_page(self.context)
        self.held, self.then, asked = [], {}, []
        page.route(re.compile("/api/v1/workspace/import$"), self.answer)
        page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
        stage.sign_in(page, f"/workspace{path}")
        page.get_by_role("button", name="Edit").click()
        field = page.locator(".monaco-editor textarea")

        def type_over(text):
            field.wait_for()
            field.focus()
            page.keyboard.press("Control+A")
            paste(page, text)

        type_over("two\n")
        self.then["POST"] = "hold"
        page.keyboard.press("Control+S")
        route, answer = self.wait_for_held()
        page.keyboard.press("Control+S")
        type_over("three\n")
        page.keyboard.press("Control+S")
        self.assertEqual([one for one in asked if one.endswith("/import")][1:], [])
        route.fulfill(response=answer)
        has = lambda: base64.b64decode(platform.call("GET", f"/api/v1/workspace/export?path={path}")["content"])
        eventually("it is saved", lambda: page.evaluate("true") and has() == b"three\n")
        expect(page.get_by_role("status").filter(has_text=re.compile("^Saved$"))).to_be_visible()
        expect(page.get_by_text("Somebody else has saved")).to_have_count(0)

    def test_a_second_save_of_a_notebook_waits(self):
        self.open(["one = 1"])
        asked = []
        self.page.on("request", lambda request: asked.append(request.url) if request.method == "PUT" else None)
        self.then["PUT"] = "hold"
        self.write(1, "one = 2")
        self.page.keyboard.press("Control+S")
        route, answer = self.wait_for_held()
        self.page.keyboard.press("Control+S")
        self.write(1, "one = 3")
        self.page.keyboard.press("Control+S")
        self.assertEqual(len(asked), 1)
        route.fulfill(response=answer)
        self.expect_saved(["one = 3"])

    def test_news_break_nothing_off(self):
        """What is being read is read to its end, however often there is news meanwhile, and once more after it."""
        self.open(["one = 1"])
        page, held, asked, failed = self.page, [], [], []

        def hold(route):
            asked.append(route.request.url)
            if len(asked) == 1:
                held.append((route, route.fetch()))
            else:
                route.continue_()

        page.on("requestfailed", lambda request: failed.append(request.url))
        page.route(re.compile("/api/v1/clusters"), hold)
        page.locator(".attach").click()
        eventually("the clusters are asked for", lambda: page.evaluate("true") and held)
        for _ in range(3):
            self.sockets[-1].send(json.dumps({"type": "CHANGED", "topic": "clusters"}))
        # It is told in order: who is seen here has come after the news. The server may tell otherwise in between.
        somebody = json.dumps({
            "type": "PRESENCE", "topic": f"notebooks/{self.notebook}",
            "presence": [{"client_id": "other", "user_name": "Wilhelmine", "is_editing": False}]})
        eventually("somebody is seen", lambda: self.sockets[-1].send(somebody) or page.locator(".people").count())
        self.assertEqual(len(asked), 1)
        [(route, answer)] = held
        route.fulfill(response=answer)
        eventually("it is read once more", lambda: page.evaluate("true") and len(asked) >= 2)
        # All that was told meanwhile is one reason to read.
        self.assertLess(len(asked), 4)
        self.assertEqual(failed, [])

    def test_a_new_notebook_has_all_outputs(self):
        """What is kept elsewhere has also what was too large to be here."""
        text = "long " * 30_000
        self.open(["one = 1", "two = 1"], {1: [{"output_type": "stream", "name": "stdout", "text": text}]})
        expect(self.page.get_by_role("button", name=re.compile("^Show all"))).to_be_visible()
        refused = {"error_code": "PERMISSION_DENIED", "message": "You may not change it."}
        self.page.route(re.compile(rf"/api/v1/notebooks/{self.notebook}$"), lambda route: route.fulfill(
            status=403, json=refused) if route.request.method == "PUT" else route.fallback())
        self.write(1, "one = 2")
        self.page.get_by_role("button", name="Save as a new notebook").click()
        dialog = self.page.get_by_role("dialog")
        path = f"/Shared/{self._testMethodName} again"
        dialog.get_by_label("Path").fill(path)
        dialog.get_by_role("button", name="Save").click()
        expect(self.page.get_by_text(f"Saved as {path}.")).to_be_visible()
        number = platform.call("GET", f"/api/v1/workspace/get-status?path={path.replace(' ', '%20')}")["object_id"]
        cells = platform.call("GET", f"/api/v1/notebooks/{number}")["document"]["cells"]
        self.assertEqual("".join(cells[0]["source"]), "one = 2")
        self.assertEqual("".join(cells[1]["outputs"][0]["text"]), text)

    def test_a_lost_answer_is_remembered(self):
        """What somebody else saved before comes late, and does not make what was saved without an answer theirs."""
        self.open(["one = 1", "two = 1"])
        theirs = platform.call("GET", f"/api/v1/notebooks/{self.notebook}")
        theirs["document"]["cells"][1]["source"] = "two = 2"
        self.then["GET"] = "hold"
        platform.call("PUT", f"/api/v1/notebooks/{self.notebook}", {
            "base_revision_id": theirs["revision_id"], "document": theirs["document"]})
        reading, read = self.wait_for_held()
        self.then["PUT"] = "lose"
        self.write(1, "one = 2")
        self.assertEqual(self.wait_for_held(), 200)
        reading.fulfill(response=read)
        self.write(1, "one = 3")
        self.expect_saved(["one = 3", "two = 2"])

    def test_an_old_answer_takes_nothing_back(self):
        """The notebook was asked for anew, and saved before the answer came."""
        self.open(["one = 1"])
        self.then["GET"] = "hold"
        self.reset()
        route, answer = self.wait_for_held()
        self.write(1, "one = 2")
        self.expect_saved(["one = 2"])
        route.fulfill(response=answer)
        self.write(1, "one = 3")
        self.expect_saved(["one = 3"])

    def test_an_answer_of_ones_own_is_no_conflict(self):
        """The notebook was asked for anew while a save was under way, and has it already."""
        self.open(["one = 1"])
        self.then["PUT"] = "hold"
        self.write(1, "one = 2")
        saving, saved = self.wait_for_held()
        self.then["GET"] = "hold"
        self.reset()
        reading, read = self.wait_for_held()
        self.write(1, "one = 3")
        reading.fulfill(response=read)
        saving.fulfill(response=saved)
        self.expect_saved(["one = 3"])

    def test_going_back_is_kept(self):
        """A revision that is gone back to is as good as typed: it is kept until it is saved, and can be taken back."""
        self.open(["one = 1", "two = 1"])
        self.write(1, "one = 2")
        self.expect_saved(["one = 2", "two = 1"])
        address = re.compile(rf"/api/v1/notebooks/{self.notebook}$")
        stop = lambda route: route.abort("connectionreset") if route.request.method == "PUT" else route.fallback()
        self.page.route(address, stop)

        def go_back():
            self.page.get_by_role("button", name="More").first.click()
            self.page.get_by_role("menuitem", name="Revisions").click()
            self.page.get_by_role("dialog").locator(".revision").nth(1).click()
            self.page.get_by_role("button", name="Go back to this one").click()

        go_back()
        first = self.page.locator(".cell").first
        expect(first).to_contain_text("one = 1")
        kept = "Object.keys(localStorage).some((key) => key.startsWith('harbour.draft/'))"
        eventually("it is kept", lambda: self.page.evaluate(kept))
        self.page.reload()
        expect(self.page.get_by_text(re.compile("^We brought back what you typed"))).to_be_visible()
        expect(first).to_contain_text("one = 1")
        self.page.unroute(address, stop)
        self.expect_saved(["one = 1", "two = 1"])
        go_back()
        # The notice stays as long as the pointer is on it.
        self.page.locator(".toast").filter(has=self.page.get_by_role("button", name="Undo")).hover()
        self.expect_saved(["one = 2", "two = 1"])
        self.page.locator(".toast").get_by_role("button", name="Undo").click()
        self.expect_saved(["one = 1", "two = 1"])
