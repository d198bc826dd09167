"""A notebook of hundreds of cells: which of them are made when, and that the page stands still meanwhile.

The settings are those of test_page.py. How smoothly it scrolls is measured in Tests/Benchmarks/page.
"""

import base64
import json
import random
import struct
import unittest
import zlib

from harbour import PICTURES, Stage, eventually
from playwright.sync_api import expect

CELLS = 300
TABLE = "application/vnd.dataharbour.table+json"
#: Seconds for what is done only while nothing else is to do.
IDLE = 180
# Without it, as in some browsers, cells are made only when they come near.
NEVER_IDLE = "window.requestIdleCallback = undefined"


def setUpModule():
    global stage
    stage = Stage()
    put("long", document())
    put("strange", {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
        {"cell_type": "code", "id": f"c{number}", "metadata": {}, "source": "show()", "execution_count": number, "outputs": [
            {"output_type": "display_data", "metadata": {}, "data": {"image/png": picture, "text/plain": "a picture"}}]}
        for number, picture in enumerate(["iVBORw0KGgo!!! is no base64", "iVBORw0KGgoAA", ""])]})
    put("heavy", heavy())


def put(name, notebook):
    content = base64.b64encode(json.dumps(notebook).encode()).decode()
    stage.platform.call("POST", "/api/v1/workspace/import", {"path": f"/Shared/{name}", "content": content, "format": "JUPYTER"})


def outputs(number):
    if number % 3 == 0:
        rows = [[row, f"row {row} of {number}", None] for row in range(20)]
        rows[0][1] = "a value that is far wider than a column of a table may be, " * 3
        columns = [{"name": "a", "type": "bigint"}, {"name": "b", "type": "string"}, {"name": "c", "type": "double"}]
        table = {"columns": columns, "rows": rows, "total_rows": 20, "truncated": False}
        return [{"output_type": "display_data", "metadata": {}, "data": {TABLE: table, "text/plain": "a table"}}]
    if number % 3 == 1:
        return [{"output_type": "stream", "name": "stdout", "text": f"a line of {number}\n" * 15}]
    return [{"output_type": "error", "ename": "ValueError", "evalue": f"number {number}",
             "traceback": ["Traceback", f"Cell In[{number}], line 1", "----> 1 fail()"]}]


def document():
    cells = [
        {"cell_type": "markdown", "id": f"c{number}", "metadata": {}, "source": f"## Part {number}\n\nSome text"}
        if number % 7 == 6 else
        {"cell_type": "code", "id": f"c{number}", "metadata": {}, "source": f"x = {number}\ny = x + 1",
         "execution_count": number, "outputs": outputs(number)}
        for number in range(CELLS)]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def heavy():
    """More than comes at once; at its end there are a picture and a text that are large."""
    def cell(number, outputs):
        return {"cell_type": "code", "id": f"c{number}", "metadata": {}, "source": f"x = {number}", "execution_count": number,
                "outputs": outputs}

    def text(name, count):
        return {"output_type": "stream", "name": "stdout", "text": "".join(f"{name} {line} {'.' * 280}\n" for line in range(count))}

    picture = base64.b64encode(png(300, 200)).decode()
    shown = {"output_type": "display_data", "metadata": {}, "data": {"image/png": picture, "text/plain": "a picture"}}
    cells = [cell(number, [text(f"a line of cell {number}, no.", 200)]) for number in range(78)]
    return {"cells": [*cells, cell(78, [shown]), cell(79, [text("of many", 2000)])], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def png(width, height):
    """A picture of noise, which cannot be made small."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    noise = random.Random(1)
    rows = b"".join(b"\0" + noise.randbytes(width * 3) for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


MADE = "document.querySelectorAll('[role=group][id^=cell-]').length"
# The bottom of the page in one frame after the other, until it is where it stays.
TO_THE_END = """async () => {
  const all = document.scrollingElement;
  while (all.scrollTop + innerHeight < all.scrollHeight - 2) {
    scrollBy(0, 1200);
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
  return all.scrollHeight;
}"""
# Goes up step by step, and tells how far what is in sight was moved by anything but the step.
MOVED = """async () => {
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  let most = 0;
  for (let step = 0; step < 60; step += 1) {
    const one = [...document.querySelectorAll(".cell")].find((cell) => cell.getBoundingClientRect().bottom > 200);
    const before = one.getBoundingClientRect().top;
    scrollBy(0, -120);
    await frame();
    await frame();
    most = Math.max(most, Math.abs(one.getBoundingClientRect().top - before - 120));
  }
  return most;
}"""

# How far a cell is moved in the frames after this, from where it was.
DRIFT = """async ([id, before]) => {
  let most = 0;
  for (let frame = 0; frame < 20; frame += 1) {
    await new Promise((resolve) => requestAnimationFrame(resolve));
    most = Math.max(most, Math.abs(document.getElementById(id).getBoundingClientRect().top - before));
  }
  return most;
}"""
# At once, wherever it is: as far as the cell has been made.
INTO_SIGHT = "(id) => document.getElementById(id)?.scrollIntoView({ behavior: 'instant' })"
TOP = "(id) => document.getElementById(id).getBoundingClientRect().top"


class ScrollTests(unittest.TestCase):
    def setUp(self):
        self.said = []

    def tearDown(self):
        if self._outcome.result.failures or self._outcome.result.errors:
            self.page.screenshot(path=PICTURES / f"failed-{self._testMethodName}.png")
        self.page.context.close()
        self.assertEqual(self.said, [])

    def open(self, address="", script="", name="long", **more):
        self.page = stage.new_page(stage.new_context(**more), self.said)
        if script:
            self.page.add_init_script(script)
        stage.sign_in(self.page, f"/workspace/Shared/{name}{address}")
        expect(self.page.locator(".cell").first).to_be_visible()
        return self.page

    def test_cells_are_made_ahead_while_nothing_else_is_done(self):
        page = self.open()
        eventually("all cells are made", lambda: page.evaluate(MADE) == CELLS, IDLE)
        self.assertEqual(page.evaluate("scrollY"), 0)
        # None of those far away is laid out for it.
        self.assertFalse(page.evaluate("document.querySelector('#cell-c250 .outputs').checkVisibility({ contentVisibilityAuto: true })"))

    def test_cells_are_made_when_they_come_near(self):
        page = self.open(script=NEVER_IDLE)
        self.assertLess(page.evaluate(MADE), 100)
        page.evaluate(TO_THE_END)
        expect(page.locator("#cell-c299 .data, #cell-c299 .text-output, #cell-c299 .traceback")).to_be_in_viewport()
        eventually("all were near", lambda: page.evaluate(MADE) == CELLS, IDLE)

    def test_outputs_come_before_somebody_comes(self):
        """What waits comes while nothing else is done, several cells at a time, so that who scrolls finds it there."""
        page = self.page = stage.new_page(stage.new_context(), self.said)
        asked = []
        page.on("request", lambda request: asked.append(request.url) if "/outputs?" in request.url else None)
        stage.sign_in(page, "/workspace/Shared/heavy")
        expect(page.locator("#cell-c0")).to_contain_text("a line of cell 0, no. 0")
        # A picture comes when it is near.
        eventually("all others are there", lambda: page.evaluate(MADE) == 80 and page.locator(".output-waits").count() <= 1, IDLE)
        self.assertLess(page.evaluate("scrollY"), 100)
        self.assertIn(len(asked), range(2, 25))

    def test_outputs_come_when_they_come_near(self):
        """Opening brings no more than so much of them; what is large is shown in part until somebody wants it."""
        page = stage.new_page(stage.new_context(), self.said)
        self.page = page
        page.add_init_script(NEVER_IDLE)
        brought, number = [], self.number()
        page.on("response", lambda answer: brought.append(answer) if answer.url.split("?")[0].endswith(number) else None)
        stage.sign_in(page, "/workspace/Shared/heavy")
        expect(page.locator("#cell-c0")).to_contain_text("a line of cell 0, no. 0")
        self.assertLess(len(brought[0].body()), 2_500_000)
        page.evaluate(TO_THE_END)
        last = page.locator("#cell-c79")
        self.come_to("c79", ".text-output")
        expect(last).to_contain_text("of many 0")
        expect(last).to_contain_text("of many 1999")
        self.come_to("c78", "img")
        expect(page.locator("#cell-c78 img")).to_have_js_property("naturalWidth", 300)
        page.screenshot(path=PICTURES / "notebook-large-outputs.png")
        last.get_by_role("button", name="Show all").press("Enter")
        expect(last).to_contain_text("of many 1000")
        self.come_to("c60", ".text-output")
        expect(page.locator("#cell-c60 .output-waits")).to_have_count(0)
        # The file has all of it.
        file = stage.platform.call("GET", "/api/v1/workspace/export?path=/Shared/heavy&format=JUPYTER")
        self.assertEqual(json.loads(base64.b64decode(file["content"])), heavy())

    def come_to(self, cell, what):
        """Goes to a cell until it shows what it should: what comes above it meanwhile may push it out of sight again."""
        def is_there():
            self.page.evaluate(INTO_SIGHT, f"cell-{cell}")
            return self.page.locator(f"#cell-{cell} {what}").count() > 0

        eventually(f"cell {cell} shows {what}", is_there)

    @staticmethod
    def number():
        return "/notebooks/" + str(stage.platform.call("GET", "/api/v1/workspace/get-status?path=/Shared/heavy")["object_id"])

    def test_paper_has_all_cells(self):
        page = self.open(script=NEVER_IDLE)
        self.assertLess(page.evaluate(MADE), 100)
        page.pdf()
        self.assertEqual(page.evaluate(MADE), CELLS)

    def test_the_page_has_its_length_from_the_beginning(self):
        for size in ({"width": 1360, "height": 850}, {"width": 390, "height": 844}):
            page = self.open(viewport=size)
            first = page.evaluate("document.scrollingElement.scrollHeight")
            last = page.evaluate(TO_THE_END)
            self.assertLess(abs(last - first) / last, 0.01, f"{first} px at first, {last} px in the end, {size}")
            if size["width"] == 1360:
                page.context.close()

    def test_pictures_that_are_none_do_not_close_the_notebook(self):
        page = self.open(name="strange")
        expect(page.locator("#cell-c2")).to_be_visible()

    def test_an_address_of_a_cell_is_where_it_says_and_stays_there(self):
        page = self.open("#cell-c150")
        expect(page.locator("#cell-c150")).to_be_focused()
        expect(page.locator("#cell-c150")).to_be_in_viewport()
        eventually("all cells are made", lambda: page.evaluate(MADE) == CELLS, IDLE)
        expect(page.locator("#cell-c150")).to_be_in_viewport()
        # Cells above that are laid out for the first time push nothing away.
        self.assertLess(page.evaluate(MOVED), 2)

    def test_what_is_looked_at_stays_while_outputs_are_collapsed(self):
        put("folded", document())
        page = self.open("#cell-c150", name="folded")
        expect(page.locator("#cell-c150")).to_be_focused()
        eventually("all cells are made", lambda: page.evaluate(MADE) == CELLS, IDLE)
        page.evaluate(DRIFT, ["cell-c150", 0])
        length = page.evaluate("document.scrollingElement.scrollHeight")
        for name in ("Collapse all outputs", "Expand all outputs"):
            before = page.evaluate(TOP, "cell-c150")
            page.get_by_role("button", name="More").click()
            page.get_by_role("menuitem", name=name).click()
            expect(page.locator("#cell-c150 .folded")).to_have_count(1 if name.startswith("Collapse") else 0)
            self.assertLess(page.evaluate(DRIFT, ["cell-c150", before]), 4, name)
            if name.startswith("Collapse"):
                folded = page.evaluate("document.scrollingElement.scrollHeight")
                self.assertLess(folded, length / 2)
                page.screenshot(path=PICTURES / "long-collapsed.png")
                # As high as they are, also where they were higher before.
                self.assertLess(page.evaluate(MOVED), 2)
                page.locator("#cell-c150").scroll_into_view_if_needed()
        last = page.evaluate("document.scrollingElement.scrollHeight")
        # How high cells are that nobody has looked at yet is a guess.
        self.assertLess(abs(last - length) / length, 0.1, f"{length} px at first, {last} px in the end")
        # Where only the end of long outputs is in sight, their cell comes back into it.
        self.at_the_end_of(page, "cell-c150")
        page.keyboard.press("o")
        expect(page.locator("#cell-c150 .folded")).to_be_in_viewport()
        expect(page.locator("#cell-c150")).to_be_focused()
        expect(page.get_by_text("Saved", exact=True)).to_be_visible()

    def at_the_end_of(self, page, cell):
        page.locator(f"#{cell}").focus()
        page.evaluate("(id) => scrollBy(0, document.getElementById(id).getBoundingClientRect().bottom - 250)", cell)
        eventually("its beginning is above", lambda: page.evaluate(TOP, cell) < 0)

    def test_tools_are_there_for_the_cell_that_is_pointed_at_or_chosen(self):
        page = self.open()
        tools = page.locator("#cell-c1 .cell-tools")
        expect(tools).to_be_hidden()
        page.locator("#cell-c1 .text-output").hover()
        expect(tools).to_be_visible()
        page.mouse.move(0, 0)
        expect(tools).to_be_hidden()
        page.locator("#cell-c0").focus()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_label("Language of cell 2", exact=True)).to_be_visible()
        expect(page.locator("#cell-c0 .cell-tools")).to_be_hidden()

    def test_heads_of_tables_stay_and_wide_values_are_cut(self):
        page = self.open()
        table = page.locator("#cell-c0 .data-scroll")
        table.evaluate("(one) => one.scrollTo(0, 120)")
        top = "(one) => one.getBoundingClientRect().top"
        eventually("the head is at the top", lambda: abs(table.evaluate(top) - table.locator("th").first.evaluate(top)) < 2)
        wide = table.locator("td.long")
        expect(wide).to_have_count(1)
        self.assertTrue(wide.evaluate("(one) => one.scrollWidth > one.clientWidth"), "the wide value is not cut off")
        self.assertTrue(table.evaluate("(one) => one.scrollWidth <= one.clientWidth"), "the table is wider than its place")
        page.screenshot(path=PICTURES / "long-table.png")


if __name__ == "__main__":
    unittest.main()
