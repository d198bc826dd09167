"""What cells put out is shown once and whole, whichever comes first: the answer to a request, or the events that tell of it.

The settings are those of test_page.py.
"""

import base64
import os
import re
import struct
import unittest
import zlib

from harbour import Stage, eventually
from playwright.sync_api import expect

LONG = "print('x' * 100_000 + 'first')\n"


def setUpModule():
    global stage, platform
    stage = Stage(seconds=120, cluster="lab")
    platform = stage.platform


def picture(side=160):
    """A picture of noise, as nbformat has it: it cannot be made smaller."""
    rows = b"".join(b"\0" + os.urandom(side * 3) for _ in range(side))
    part = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    file = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) + part(
        b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")
    return {"output_type": "display_data", "data": {"image/png": base64.b64encode(file).decode()}, "metadata": {}}


class OutputsTests(unittest.TestCase):
    def setUp(self):
        self.context = stage.new_context()
        self.addCleanup(self.context.close)
        self.flag = platform.folder / self._testMethodName

    def open(self, *sources, outputs=None):
        """A notebook, and a page that shows it; what the page is told, and answered about cells, can be held."""
        path = f"/Shared/{self._testMethodName}"
        self.notebook = platform.notebook(path, sources, outputs)
        self.page = stage.new_page(self.context)
        self.told, self.asked, self.routes = None, [], None
        self.page.route_web_socket(re.compile("/api/v1/live"), self.relay)
        self.page.route(re.compile(rf"/api/v1/notebooks/{self.notebook}/cells/.*/outputs"), self.answer)
        stage.sign_in(self.page, f"/workspace{path}")
        self.cell = self.page.locator("#cell-c0")
        return self.page

    def relay(self, socket):
        server = socket.connect_to_server()
        self.socket = socket
        server.on_message(lambda message: socket.send(message) if self.told is None else self.told.append(message))

    def answer(self, route):
        self.asked.append(route.request.url)
        if self.routes is None:
            route.continue_()
        else:
            self.routes.append((route, route.fetch()))

    def let(self):
        """What was held comes, in order."""
        held, self.told = self.told, None
        for message in held:
            self.socket.send(message)

    def run_cell(self):
        platform.call("POST", f"/api/v1/notebooks/{self.notebook}/attach", {"cluster_id": stage.cluster})
        self.page.get_by_label("Run cell 1").click()

    def put_out(self):
        address = f"/api/v1/notebooks/{self.notebook}/cells/c0/outputs"
        return str(platform.call("GET", address)["outputs"])

    def until(self):
        return f"import pathlib, time\nwhile not pathlib.Path({str(self.flag)!r}).exists():\n    time.sleep(0.05)\n"

    def show_all(self):
        self.cell.get_by_role("button", name=re.compile("^Show all .*KiB")).click()

    def count(self, text):
        return self.cell.locator(".outputs").inner_text().count(text)

    def test_an_answer_overtakes_what_is_told(self):
        page = self.open(LONG + self.until() + "print('second')\nprint('third', flush=True)")
        self.run_cell()
        expect(self.cell.get_by_role("button", name=re.compile("^Show all .*KiB"))).to_be_visible()
        self.told = []
        self.flag.touch()
        eventually("the server has it", lambda: page.evaluate("true") and "third" in self.put_out())
        self.show_all()
        expect(self.cell.locator(".outputs")).to_contain_text("third")
        self.let()
        expect(self.cell).to_contain_text("Took")
        self.assertEqual([self.count(text) for text in ("first", "second", "third")], [1, 1, 1])

    def test_an_answer_overtakes_a_beginning(self):
        """What has begun to run anew is not cleared by being told of after it was seen."""
        page = self.open(LONG + "print('second', flush=True)")
        self.run_cell()
        expect(self.cell).to_contain_text("Took")
        self.told = []
        page.get_by_label("Run cell 1").click()
        eventually("it has run again", lambda: page.evaluate("true") and platform.call(
            "GET", f"/api/v1/notebooks/{self.notebook}/cells/c0/outputs").get("execution_count") == 2)
        self.show_all()
        expect(self.cell.locator(".outputs")).to_contain_text("second")
        self.let()
        expect(self.cell.locator(".cell-count")).to_have_text("2")
        expect(self.cell).to_contain_text("Took")
        self.assertEqual([self.count(text) for text in ("first", "second")], [1, 1])

    def test_what_waits_to_be_cleared_is_cleared(self):
        self.open(LONG + "from IPython.display import clear_output\nclear_output(wait=True)\nprint('', end='', flush=True)\n"
                         + self.until() + "print('fresh', flush=True)")
        self.run_cell()
        expect(self.cell.get_by_role("button", name=re.compile("^Show all .*KiB"))).to_be_visible()
        self.show_all()
        expect(self.cell.locator(".outputs")).to_contain_text("first")
        self.flag.touch()
        expect(self.cell).to_contain_text("Took")
        self.assertEqual([self.count(text) for text in ("first", "fresh")], [0, 1])

    def test_what_was_cleared_does_not_come_back(self):
        page = self.open(LONG)
        self.run_cell()
        expect(self.cell).to_contain_text("Took")
        self.routes = []
        self.show_all()
        eventually("it is asked for", lambda: page.evaluate("true") and self.routes)
        page.get_by_role("button", name="More").first.click()
        page.get_by_role("menuitem", name="Clear all outputs").click()
        expect(self.cell.locator(".outputs")).to_have_count(0)
        [(route, response)] = self.routes
        with page.expect_response(re.compile("/outputs")) as arrived:
            route.fulfill(response=response)
        arrived.value.finished()
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        expect(self.cell.locator(".outputs")).to_have_count(0)

    def test_pictures_come_together(self):
        """All of a cell come at once, and what nobody wanted to see as a whole stays folded beside them."""
        text = {"output_type": "stream", "name": "stdout", "text": "long " * 4000}
        self.open("pass", outputs={0: [text, picture(), picture(), picture()]})
        pictures = self.cell.locator("img")
        expect(pictures).to_have_count(3)
        self.assertEqual(len(self.asked), 1)
        expect(self.cell.get_by_role("button", name="Show all 20,000 characters")).to_be_visible()


if __name__ == "__main__":
    unittest.main(failfast=True)
