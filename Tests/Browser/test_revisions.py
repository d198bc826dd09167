"""The revisions of a notebook in a real Chromium: what differs, cell by cell, and those of long ago.

The settings are those of test_page.py.
"""

import unittest

from harbour import PICTURES, Stage
from looks import look
from playwright.sync_api import expect

LONG = [f"step_{number} = load({number})" for number in range(1, 31)]


def setUpModule():
    global stage, platform
    stage = Stage()
    platform = stage.platform


def cell(name, kind, source, **metadata):
    made = {"cell_type": kind, "id": name, "metadata": metadata, "source": source}
    return {**made, "outputs": [], "execution_count": None} if kind == "code" else made


class RevisionTests(unittest.TestCase):
    def setUp(self):
        self.context = stage.new_context()
        self.addCleanup(self.context.close)
        self.path = f"/Shared/{self._testMethodName}"
        self.said = []

    def tearDown(self):
        if self._outcome.result.failures or self._outcome.result.errors:
            for page in self.context.pages:
                page.screenshot(path=PICTURES / f"failed-{self._testMethodName}.png")
        self.assertEqual(self.said, [])

    def save(self, notebook, cells):
        """Somebody's save; the number of what came of it."""
        address = f"/api/v1/notebooks/{notebook}"
        now = platform.call("GET", address)
        return platform.call("PUT", address, {
            "base_revision_id": now["revision_id"], "document": {**now["document"], "cells": cells}})["revision_id"]

    def open(self):
        """Its page with the dialog."""
        page = stage.new_page(self.context, self.said)
        stage.sign_in(page, f"/workspace{self.path}")
        expect(page.locator(".cell").first).to_be_visible()
        page.get_by_role("button", name="More").first.click()
        page.get_by_role("menuitem", name="Revisions").click()
        return page, page.get_by_role("dialog")

    def test_what_differs(self):
        """A word in a long cell, cells that came, went, moved and became something else; nothing of what is alike."""
        changed = [*LONG[:14], "step_15 = load(15, again=True)", *LONG[15:], "done()"]
        notebook = platform.notebook_of(self.path, [
            cell("long", "code", "\n".join(LONG)), cell("gone", "code", "%sql\nSELECT 1"), cell("same", "code", "same = 1"),
            cell("kind", "markdown", "words"), cell("last", "code", "last = 1")])
        self.save(notebook, [
            cell("last", "code", "last = 1"), cell("long", "code", "\n".join(changed), tags=["slow"]), cell("same", "code", "same = 1"),
            cell("kind", "code", "words"), cell("new", "code", "new = 1\nnewer = 2")])
        page, dialog = self.open()
        dialog.locator(".revision").nth(1).click()
        cells = dialog.locator(".difference")
        expect(cells).to_have_count(5)
        expect(dialog.locator(".difference h3")).to_have_text([
            "Cell 5, now cell 1", "Cell 1, now cell 2", "Cell 2, deleted since", "Cell 4", "Cell 5, added since"])
        expect(cells.nth(0)).to_contain_text("It stands elsewhere.")
        expect(cells.nth(0).locator("table")).to_have_count(0)
        long = cells.nth(1)
        expect(long).to_contain_text("Its settings differ: tags.")
        # The line that differs and three around it, what was added at the end, and how much is left out.
        expect(long.locator(".hidden-lines")).to_have_text(["11 lines alike", "9 lines alike"])
        expect(long.locator("tr.alike")).to_have_count(9)
        expect(long.locator("tr.changed .line.left")).to_have_text(["step_15 = load(15)", ""])
        expect(long.locator("tr.changed .line.right")).to_have_text(["step_15 = load(15, again=True)", "done()"])
        expect(long.locator("tr.changed .line-number.right")).to_have_text(["15", "31"])
        expect(long.locator("del")).to_have_count(0)
        expect(long.locator("ins")).to_have_text([", again=True"])
        expect(cells.nth(2).locator(".line.left")).to_have_text(["%sql", "SELECT 1"])
        expect(cells.nth(3)).to_contain_text("Then a text, now code.")
        expect(cells.nth(4).locator(".line.right")).to_have_text(["new = 1", "newer = 2"])
        look(self, page, stage.axe, PICTURES / "revisions-differences")
        # What is looked at has an address.
        page.reload()
        expect(dialog.locator(".difference")).to_have_count(5)
        # What one revision changed is the same from the other side.
        dialog.locator(".revision").nth(0).click()
        expect(dialog).to_contain_text("All cells are the same as now.")
        dialog.get_by_role("tab", name="What it changed").click()
        expect(dialog.locator(".difference h3")).to_have_text([
            "Cell 5, afterwards cell 1", "Cell 1, afterwards cell 2", "Cell 2, deleted", "Cell 4", "Cell 5, added"])
        dialog.locator(".revision").nth(1).click()
        expect(dialog).to_contain_text("It is the first: nothing was there before.")
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        self.assertNotIn("revision", page.url)

    def test_older_ones_are_there(self):
        notebook = platform.notebook_of(self.path, [cell("one", "code", "x = 0")])
        for number in range(1, 60):
            self.save(notebook, [cell("one", "code", f"x = {number}")])
        page, dialog = self.open()
        expect(dialog.locator(".revision")).to_have_count(50)
        dialog.locator(".revision").last.click()
        dialog.get_by_role("tab", name="What it changed").click()
        expect(dialog).to_contain_text("not in the list yet")
        dialog.get_by_role("button", name="Older ones").click()
        expect(dialog.locator(".revision")).to_have_count(60)
        expect(dialog.get_by_role("button", name="Older ones")).to_have_count(0)
        expect(dialog.locator("tr.changed .line.left")).to_have_text(["x = 9"])
        expect(dialog.locator("tr.changed .line.right")).to_have_text(["x = 10"])
        dialog.locator(".revision").last.click()
        expect(dialog).to_contain_text("It is the first")
        dialog.get_by_role("button", name="Go back to this one").click()
        expect(page.locator(".cell .cell-source")).to_have_text("x = 0")


if __name__ == "__main__":
    unittest.main(failfast=True)
