"""Several cells at once, and outputs that are collapsed, in real Chromium and with a second browser beside it.

The settings are those of test_page.py.
"""

import base64
import re
import unittest

from harbour import PICTURES, Stage, dismiss, eventually, paste, twice, write
from looks import look
from playwright.sync_api import expect

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
STREAM = {"output_type": "stream", "name": "stdout", "text": [f"line {number}\n" for number in range(12)]}
PICTURE = {"output_type": "display_data", "metadata": {}, "data": {"image/png": PIXEL, "text/plain": "a picture"}}
ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["ValueError: no"]}


def setUpModule():
    global stage, platform, cluster
    stage = Stage(seconds=120, cluster="lab")
    platform, cluster = stage.platform, stage.cluster


def code(number, source, outputs=(), **metadata):
    return {"cell_type": "code", "id": f"c{number}", "metadata": metadata, "source": source, "execution_count": None,
            "outputs": list(outputs)}


class CellsTests(unittest.TestCase):
    def setUp(self):
        self.said, self.contexts = [], []

    def tearDown(self):
        if self._outcome.result.failures or self._outcome.result.errors:
            for number, context in enumerate(self.contexts):
                for page in context.pages:
                    page.screenshot(path=PICTURES / f"failed-{self._testMethodName}-{number}.png")
        for context in self.contexts:
            context.close()
        self.assertEqual(self.said, [])

    def notebook(self, name, cells, folder="/Shared"):
        """Puts a notebook into the workspace and opens it; its id and the page."""
        self.path = f"{folder}/{name}"
        made = platform.notebook_of(self.path, cells)
        platform.call("POST", f"/api/v1/notebooks/{made}/attach", {"cluster_id": cluster})
        return made, self.open()

    def open(self, token=None):
        context = stage.new_context()
        self.contexts.append(context)
        page = stage.new_page(context, self.said)
        stage.sign_in(page, f"/workspace{self.path}", token)
        expect(page.locator(".cell").first).to_be_visible()
        return page

    def press(self, page, *keys):
        for key in keys:
            if key == "dd":
                twice(page, "d")
            else:
                page.keyboard.press(key)

    def select(self, page, first, *keys):
        """Selects one cell alone, and then as the keys say."""
        page.locator(".cell").nth(first).focus()
        self.press(page, "Escape", *keys)

    def marked(self, page, *ids):
        """These cells are selected together, and whoever does not see it is told."""
        expect(page.locator(".cell.marked")).to_have_count(len(ids))
        for one in ids:
            expect(page.locator(f"#cell-{one}")).to_have_accessible_name(re.compile(", selected$"))
        expect(page.get_by_text(f"{len(ids)} cells selected" if ids else "One cell selected", exact=True)).to_be_attached()

    def shows(self, page, wanted):
        sources = lambda: [one.strip("\n ") for one in page.locator(".cell .cell-source, .cell .cell-markdown").all_inner_texts()]
        eventually(f"the cells are {wanted}", lambda: sources() == wanted)

    def saved(self, page):
        expect(page.get_by_text("Saved", exact=True)).to_be_visible()

    def cells(self, number):
        return platform.call("GET", f"/api/v1/notebooks/{number}")["document"]["cells"]

    def revisions(self, number):
        return len(platform.call("GET", f"/api/v1/notebooks/{number}/revisions?page_size=100")["revisions"])

    def test_1_several_are_selected(self):
        _, page = self.notebook("selected", [code(number, f"x{number} = {number}", [STREAM] if number == 1 else []) for number in range(6)])
        self.select(page, 0, "Shift+ArrowDown", "Shift+J")
        self.marked(page, "c0", "c1", "c2")
        expect(page.locator("#cell-c2")).to_be_focused()
        dismiss(page)
        look(self, page, stage.axe, PICTURES / "notebook-selected")
        # Back over where it began, and to the other side of it.
        self.press(page, "Shift+K")
        self.marked(page, "c0", "c1")
        self.select(page, 2, "Shift+ArrowUp", "Shift+ArrowDown", "Shift+ArrowDown")
        self.marked(page, "c2", "c3")
        self.press(page, "Escape")
        self.marked(page)
        expect(page.locator("#cell-c3")).to_be_focused()
        self.press(page, "Shift+ArrowDown", "ArrowUp")
        self.marked(page)
        expect(page.locator("#cell-c3")).to_be_focused()
        # A click with Shift takes all up to there, and leaves text alone.
        self.select(page, 1)
        page.locator("#cell-c4 .cell-source").click(modifiers=["Shift"])
        self.marked(page, "c1", "c2", "c3", "c4")
        expect(page.locator("#cell-c4")).to_be_focused()
        page.locator("#cell-c0 .cell-source").click(modifiers=["Shift"])
        self.marked(page, "c0", "c1")
        self.assertEqual(page.evaluate("getSelection().toString()"), "")
        expect(page.locator(".editor")).to_have_count(0)
        self.press(page, "Control+A")
        self.marked(page, *(f"c{number}" for number in range(6)))
        # What is written in a cell is for that one.
        page.locator("#cell-c2 .cell-source").click()
        self.marked(page)
        page.locator(".monaco-editor textarea").wait_for()
        self.press(page, "Control+A")
        expect(page.locator(".cell.marked")).to_have_count(0)
        # From its editor another cell can be gone to with Shift as well.
        page.locator("#cell-c4 .cell-source").click(modifiers=["Shift"])
        self.marked(page, "c2", "c3", "c4")
        self.press(page, "?")
        expect(page.get_by_role("dialog")).to_contain_text("select all")
        look(self, page, stage.axe, PICTURES / "notebook-keys")
        self.press(page, "Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        self.marked(page, "c2", "c3", "c4")
        page.get_by_role("button", name="More").click()
        page.get_by_role("menuitem", name="Select all cells").click()
        self.marked(page, *(f"c{number}" for number in range(6)))

    def test_2_what_is_done_is_done_to_all_of_them(self):
        names = ["a = 1", "b = 2", "c = 3", "d = 4", "e = 5"]
        number, page = self.notebook("together", [code(place, one) for place, one in enumerate(names)])
        a, b, c, d, e = names
        three = ("Shift+ArrowDown", "Shift+ArrowDown")
        before = self.revisions(number)
        self.select(page, 1, *three, "dd")
        # The notice stays for as long as somebody is at it.
        page.locator(".toast").hover()
        self.shows(page, [a, e])
        expect(page.locator(".toast")).to_contain_text("3 cells were deleted.")
        self.saved(page)
        eventually("one revision came of it", lambda: self.revisions(number) == before + 1)
        self.press(page, "z")
        self.shows(page, names)
        self.press(page, "Shift+Z")
        self.shows(page, [a, e])
        page.locator(".toast").get_by_role("button", name="Undo").click()
        self.shows(page, names)
        self.marked(page, "c1", "c2", "c3")
        dismiss(page)
        # Cut and paste, copy and paste: each is taken back by one key.
        self.select(page, 0, "Shift+J", "x")
        self.shows(page, [c, d, e])
        self.press(page, "v")
        self.shows(page, [c, a, b, d, e])
        self.press(page, "z", "z")
        self.shows(page, names)
        self.select(page, 3, "Shift+J", "c", "V")
        self.shows(page, [a, b, c, d, e, d, e])
        self.press(page, "z")
        self.shows(page, names)
        # They move together, and no farther than to the end.
        self.select(page, 2, "Shift+J", "Control+Shift+ArrowUp")
        self.shows(page, [a, c, d, b, e])
        self.press(page, "Control+Shift+ArrowDown", "Control+Shift+ArrowDown")
        self.shows(page, [a, b, e, c, d])
        page.get_by_role("button", name="Move 2 cells down").click()
        self.shows(page, [a, b, e, c, d])
        page.get_by_role("button", name="Move 2 cells up").click()
        self.shows(page, [a, b, c, d, e])
        self.select(page, 0, *three, "m")
        expect(page.locator(".cell.markdown")).to_have_count(3)
        self.marked(page, "c0", "c1", "c2")
        # What is of another language is not joined.
        self.select(page, 2, "Shift+J", "Shift+M")
        expect(page.get_by_text("Only cells of one language can be joined.")).to_be_visible()
        self.press(page, "z")
        expect(page.locator(".cell.markdown")).to_have_count(0)
        self.select(page, 4, "Shift+K", "Shift+K", "Shift+M")
        self.shows(page, [a, b, f"{c}\n{d}\n{e}"])
        self.press(page, "z")
        self.shows(page, names)
        self.select(page, 0, "Control+A", "dd")
        self.shows(page, [""])
        self.press(page, "z")
        self.shows(page, names)
        self.saved(page)
        self.assertEqual(["".join(one["source"]) for one in self.cells(number)], names)

    def test_3_several_are_run(self):
        _, page = self.notebook("ran", [code(0, "print('one')"), code(1, "print('two')"), code(2, "print('three')")])
        self.select(page, 1, "Shift+K", "Shift+Enter")
        expect(page.locator("#cell-c1 .text-output")).to_contain_text("two")
        expect(page.locator("#cell-c0 .text-output")).to_contain_text("one")
        expect(page.locator("#cell-c2 .outputs")).to_have_count(0)
        expect(page.locator("#cell-c2")).to_be_focused()
        self.press(page, "Shift+K", "Control+Enter")
        expect(page.locator("#cell-c2 .cell-count")).to_have_text("4")
        expect(page.locator("#cell-c1 .cell-count")).to_have_text("3")
        expect(page.locator("#cell-c2")).to_be_focused()
        self.marked(page)

    def test_4_somebody_else_works_on_meanwhile(self):
        number, ann = self.notebook("beside", [code(place, f"x{place} = {place}") for place in range(5)])
        bob = self.open()
        self.select(ann, 1, "Shift+J", "Shift+J")
        # What bob puts among them is not selected, and is not deleted with them.
        self.select(bob, 1, "b")
        bob.keyboard.press("Enter")
        bob.locator(".monaco-editor textarea").wait_for()
        bob.keyboard.type("bob = 1")
        self.press(bob, "Escape")
        self.shows(ann, ["x0 = 0", "x1 = 1", "bob = 1", "x2 = 2", "x3 = 3", "x4 = 4"])
        self.marked(ann, "c1", "c2", "c3")
        self.press(ann, "dd")
        left = ["x0 = 0", "bob = 1", "x4 = 4"]
        self.shows(ann, left)
        self.shows(bob, left)
        # And what he does then is not taken back with it.
        bob.locator("#cell-c4").focus()
        self.press(bob, "dd")
        self.shows(ann, left[:2])
        self.press(ann, "z")
        whole = ["x0 = 0", "x1 = 1", "bob = 1", "x2 = 2", "x3 = 3"]
        self.shows(ann, whole)
        self.shows(bob, whole)
        for page in (ann, bob):
            self.saved(page)
        self.assertEqual(["".join(one["source"]) for one in self.cells(number)], whole)

    def test_5_outputs_are_collapsed(self):
        number, page = self.notebook("collapsed", [
            code(0, "print()", [STREAM, PICTURE]), code(1, "fails()", [STREAM, ERROR], collapsed=True), code(2, "print()", [STREAM]),
            code(3, "empty = 1"), code(4, "old()", [PICTURE], collapsed=True, jupyter={"outputs_hidden": False, "source_hidden": True})])
        folded = page.locator(".fold-outputs.folded")
        # As a Jupyter of either age has left them.
        expect(folded).to_have_accessible_name("Show the outputs of cell 2: 12 lines, ValueError")
        self.select(page, 0, "o")
        expect(folded.first).to_have_text("12 lines, 1 image")
        expect(page.locator("#cell-c0 .outputs")).to_have_count(0)
        expect(page.locator("#cell-c0")).to_be_focused()
        hidden = {"collapsed": True, "jupyter": {"outputs_hidden": True}}
        eventually("it is kept", lambda: page.evaluate("true") and self.cells(number)[0]["metadata"] == hidden)
        self.saved(page)
        look(self, page, stage.axe, PICTURES / "notebook-collapsed")
        exported = platform.call("GET", f"/api/v1/workspace/export?path={self.path}&format=JUPYTER")
        self.assertIn('"outputs_hidden": true', base64.b64decode(exported["content"]).decode())
        # It is the notebook's, and so is there again, and for others.
        bob = self.open()
        expect(bob.locator(".fold-outputs.folded")).to_have_count(2)
        folded.first.click()
        expect(page.locator("#cell-c0 .text-output")).to_contain_text("line 11")
        fold = page.get_by_role("button", name="Collapse the outputs of cell 1")
        expect(fold).to_be_focused()
        expect(fold).to_have_attribute("aria-expanded", "true")
        page.screenshot(path=PICTURES / "notebook-expanded.png")
        expect(bob.locator("#cell-c0 .text-output")).to_contain_text("line 11")
        self.saved(page)
        self.assertEqual(self.cells(number)[0]["metadata"], {})
        self.press(page, "Enter")
        expect(page.locator("#cell-c0 .folded")).to_be_focused()
        # The keyboard is not gone with what had it.
        self.press(page, "o")
        self.select(page, 1, "o")
        page.get_by_role("button", name="Traceback").focus()
        self.press(page, "o")
        expect(page.locator("#cell-c1")).to_be_focused()
        self.press(page, "o", "ArrowUp")
        expect(page.locator("#cell-c0")).to_be_focused()
        self.press(page, "o")
        expect(page.locator("#cell-c0 .folded")).to_be_visible()
        # Of several: what is shown is collapsed first.
        self.select(page, 0, "Shift+J", "Shift+J", "o")
        expect(folded).to_have_count(3)
        self.press(page, "o")
        expect(folded).to_have_count(0)
        self.menu(page, "Collapse all outputs")
        expect(folded).to_have_count(4)
        self.saved(page)
        self.assertEqual(self.cells(number)[4]["metadata"], {"collapsed": True, "jupyter": {"outputs_hidden": True, "source_hidden": True}})
        self.menu(page, "Expand all outputs")
        expect(folded).to_have_count(0)
        self.saved(page)
        self.assertEqual(self.cells(number)[4]["metadata"], {"jupyter": {"source_hidden": True}})
        expect(bob.locator(".fold-outputs.folded")).to_have_count(0)

    def menu(self, page, name):
        page.get_by_role("button", name="More").click()
        page.get_by_role("menuitem", name=name).click()

    def test_6_what_runs_is_seen_to_run(self):
        lines = "import pathlib, time\nprint('first', flush=True)\nwhile not pathlib.Path({!r}).exists():\n    time.sleep(0.05)\n1 / 0"
        done = platform.folder / "done"
        number, page = self.notebook("running", [code(0, lines.format(str(done)), collapsed=True, jupyter={"outputs_hidden": True})])
        self.select(page, 0, "Control+Enter")
        line = page.locator("#cell-c0 .folded")
        expect(line).to_have_text("1 line")
        expect(page.locator("#cell-c0 .cell-status")).to_contain_text("Runs for")
        expect(page.locator("#cell-c0 .spinner")).to_be_visible()
        page.screenshot(path=PICTURES / "notebook-collapsed-running.png")
        done.touch()
        expect(line).to_have_text("1 lineZeroDivisionError")
        expect(page.locator("#cell-c0 .cell-status")).to_contain_text("Failed after")

    def test_7_collapsing_is_in_nobodys_way(self):
        """One collapses the outputs of a cell in which another has written, before either knows of it."""
        number, page = self.notebook("both", [code(0, "x = 1", [STREAM]), code(1, "y = 1", [STREAM])])
        page.context.set_offline(True)
        page.evaluate("dispatchEvent(new Event('offline'))")
        self.select(page, 0, "Shift+J", "o")
        content = platform.call("GET", f"/api/v1/notebooks/{number}")
        content["document"]["cells"][0]["source"] = "x = 'theirs'"
        platform.call("PUT", f"/api/v1/notebooks/{number}", {
            "base_revision_id": content["revision_id"], "document": content["document"]})
        page.context.set_offline(False)
        page.evaluate("dispatchEvent(new Event('online'))")
        self.shows(page, ["x = 'theirs'", "y = 1"])
        expect(page.locator(".folded")).to_have_count(2)
        self.saved(page)
        expect(page.get_by_role("dialog")).to_have_count(0)
        eventually("both are kept", lambda: [("".join(one["source"]), one["metadata"].get("collapsed")) for one in self.cells(number)]
                   == [("x = 'theirs'", True), ("y = 1", True)])

    def user(self, name, level, number):
        """Somebody who may do only that with a notebook: their token."""
        platform.call("POST", "/api/v1/users", {"user_name": name, "role": "USER"})
        for kind, of, given in (("notebooks", number, level), ("clusters", cluster, "CAN_ATTACH_TO")):
            platform.call("PATCH", f"/api/v1/permissions/{kind}/{of}", {
                "access_control_list": [{"user_name": name, "permission_level": given}]})
        return platform.call("POST", "/api/v1/token/create", {"user_name": name})["token_value"]

    def test_8_who_may_not_change_it_collapses_for_themselves(self):
        """It is in the way of nothing that they may do, and there is nothing to save."""
        number, _ = self.notebook("theirs", [code(0, "print('it ran')", [STREAM]), code(1, "for n in range(12):\n    print('line', n)", [STREAM])], "/private")
        before, asked = self.revisions(number), []
        for name, level in (("rita", "CAN_RUN"), ("rex", "CAN_READ")):
            page = self.open(self.user(name, level, number))
            page.on("request", lambda request: asked.append(request.url) if request.method == "PUT" else None)
            page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
            folded = page.locator(".folded")
            self.select(page, 0, "Shift+J", "o")
            expect(folded).to_have_count(2)
            self.menu(page, "Expand all outputs")
            expect(folded).to_have_count(0)
            self.select(page, 1, "o")
            expect(folded).to_have_count(1)
            expect(page.get_by_text("Run only" if level == "CAN_RUN" else "View only", exact=True)).to_be_visible()
            if level == "CAN_READ":
                expect(page.get_by_role("button", name="Run all")).to_be_disabled()
                expect(page.locator(".cell-run:visible")).to_have_count(0)
            if level == "CAN_RUN":
                page.get_by_label("Run cell 1").click()
                expect(page.locator("#cell-c0 .text-output")).to_have_text("it ran")
                expect(page.locator(".note.bad")).to_have_count(0)
                # Nor is a cell added after the last one that is run.
                self.select(page, 1, "Shift+Enter")
                expect(page.locator("#cell-c1")).to_contain_text("Took")
                expect(page.locator(".cell")).to_have_count(2)
            expect(folded).to_have_count(1)
            # Nobody is asked, and it was for this time.
            page.reload()
            expect(page.locator("#cell-c1 .text-output")).to_contain_text("line 11")
            expect(folded).to_have_count(0)
        self.assertEqual((asked, self.revisions(number)), ([], before))

    def test_8a_who_may_not_change_it_is_told(self):
        """There is nothing to type in that could not be saved, and nothing that would do nothing without a word."""
        number, _ = self.notebook("shown", [code(0, "print('one')", [STREAM]), code(1, "raise ValueError('two')")], "/private")
        before, asked = self.revisions(number), []
        page = self.open(self.user("ruth", "CAN_RUN", number))
        page.on("request", lambda request: asked.append(request.url) if request.method == "PUT" else None)
        expect(page.get_by_text("Run only", exact=True)).to_be_visible()
        told = page.get_by_text("You may not change this notebook.")
        for key in ("Enter", "a", "m", "dd", "x", "z"):
            self.select(page, 0, key)
            expect(told.first).to_be_visible()
            dismiss(page)
        page.locator(".cell-source").first.click()
        expect(page.locator(".cell")).to_have_count(2)
        expect(page.locator(".editor, .insert:visible, .cell-tools:visible")).to_have_count(0)
        self.select(page, 1, "Alt+Enter")
        traceback = page.locator("#cell-c1 .traceback")
        expect(traceback).to_contain_text("ValueError")
        expect(page.locator(".cell")).to_have_count(2)
        expect(page.locator(".editor, .note.bad")).to_have_count(0)
        look(self, page, stage.axe, PICTURES / "notebook-read-only")
        self.assertEqual((asked, self.revisions(number)), ([], before))

    def test_9_undo_has_the_outputs(self):
        """They stay with their cells, on the server as well, whatever was saved in between."""
        number, page = self.notebook("kept", [code(0, "print('one')"), code(1, "print('two')")])
        outputs = [page.locator(f"#cell-c{place} .text-output") for place in range(2)]
        self.select(page, 0, "Control+A", "Control+Enter")

        def has_all():
            for place, text in enumerate(("one", "two")):
                expect(outputs[place]).to_have_text(text)
            self.saved(page)
            return ["".join(cell["outputs"][0]["text"]) for cell in self.cells(number)]

        eventually("they are kept", lambda: has_all() == ["one\n", "two\n"])
        self.select(page, 0, "Control+A", "m")
        expect(page.locator(".cell.markdown")).to_have_count(2)
        expect(page.locator(".outputs, .cell-status")).to_have_count(0)
        self.saved(page)
        self.assertEqual([cell["cell_type"] for cell in self.cells(number)], ["markdown"] * 2)
        self.press(page, "z")
        self.assertEqual(has_all(), ["one\n", "two\n"])
        self.select(page, 0, "Shift+J", "Shift+M")
        self.shows(page, ["print('one')\nprint('two')"])
        expect(outputs[0]).to_have_text("one")
        expect(page.get_by_text("The text has changed since it ran")).to_be_visible()
        self.saved(page)
        self.press(page, "z")
        self.assertEqual(has_all(), ["one\n", "two\n"])
        page.locator("#cell-c0 .cell-source").click()
        page.locator(".monaco-editor textarea").wait_for()
        self.press(page, "Home", "Control+Shift+Minus", "Escape")
        self.shows(page, ["", "print('one')", "print('two')"])
        self.saved(page)
        self.press(page, "z")
        expect(page.locator(".cell")).to_have_count(2)
        self.assertEqual(has_all(), ["one\n", "two\n"])
        page.reload()
        self.assertEqual(has_all(), ["one\n", "two\n"])

    def test_9a_what_came_with_a_file_stays(self):
        """Its outputs are there as long as its cells, whatever was done to those and taken back, and in an older revision."""
        number, page = self.notebook("imported", [code(0, "print()", [STREAM]), code(1, "fails()", [ERROR]), code(2, "kept = 1")])
        wanted = [[STREAM], [ERROR], []]

        def has_all():
            self.saved(page)
            expect(page.locator("#cell-c0 .text-output")).to_contain_text("line 0")
            expect(page.locator("#cell-c1 .outputs")).to_contain_text("ValueError")
            return [cell["outputs"] for cell in self.cells(number)]

        self.assertEqual(has_all(), wanted)
        self.select(page, 0, "Shift+J", "m")
        expect(page.locator(".cell.markdown")).to_have_count(2)
        eventually("they are texts", lambda: page.evaluate("true") and self.cells(number)[1]["cell_type"] == "markdown")
        self.press(page, "z")
        eventually("they are code again", lambda: page.evaluate("true") and has_all() == wanted)
        self.select(page, 0, "Shift+J", "dd")
        expect(page.locator(".cell")).to_have_count(1)
        eventually("they are gone", lambda: page.evaluate("true") and len(self.cells(number)) == 1)
        self.press(page, "z")
        eventually("they are back", lambda: page.evaluate("true") and len(self.cells(number)) == 3 and has_all() == wanted)
        page.reload()
        self.assertEqual(has_all(), wanted)
        # A file takes the place of all this, and then somebody goes back to it.
        platform.notebook_of(self.path, [code(7, "other = 1")])
        self.shows(page, ["other = 1"])
        page.get_by_role("button", name="More").first.click()
        page.get_by_role("menuitem", name="Revisions").click()
        page.get_by_role("dialog").locator(".revision").nth(1).click()
        page.get_by_role("button", name="Go back to this one").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        eventually("it is back", lambda: page.evaluate("true") and len(self.cells(number)) == 3 and has_all() == wanted)
        page.reload()
        self.assertEqual(has_all(), wanted)

    def test_9b_undo_has_how_it_ran(self):
        """How long it took and that its text is another one now; and of what ran on meanwhile, how that ended."""
        flag = platform.folder / "deleted"
        waits = f"import pathlib, time\nprint('early')\nwhile not pathlib.Path({str(flag)!r}).exists():\n    time.sleep(0.05)\nprint('late')"
        number, page = self.notebook("times", [code(0, "print('one')"), code(1, "two = 2"), code(2, waits)])
        first, last = page.locator("#cell-c0"), page.locator("#cell-c2")
        self.select(page, 0, "Control+A", "Control+Enter")
        expect(first).to_contain_text("Took")
        expect(last).to_contain_text("Runs for")
        expect(last.locator(".text-output")).to_have_text("early")
        write(page, 1, "print('other')")
        self.press(page, "Escape")
        took = first.get_by_text(re.compile("^Took")).inner_text()
        for key in ("z", "Undo"):
            self.select(page, 0, "dd")
            expect(page.locator(".cell")).to_have_count(2)
            if key == "z":
                self.press(page, "z")
            else:
                page.locator(".toast").last.get_by_role("button", name="Undo").click()
            expect(first.get_by_text(took, exact=True)).to_be_visible()
            expect(first.get_by_text("The text has changed since it ran")).to_be_visible()
            dismiss(page)
        expect(page.get_by_text("The text has changed since it ran")).to_have_count(1)
        # What was running has ended while it was not here.
        self.select(page, 2, "dd")
        expect(last).to_have_count(0)
        flag.touch()
        state = lambda: {one["cell_id"]: one["state"] for one in platform.call("GET", f"/api/v1/notebooks/{number}/execution")["commands"]}
        eventually("it has ended", lambda: page.evaluate("true") and state().get("c2") not in ("QUEUED", "RUNNING"))
        expect(page.locator(".queue li")).to_have_count(0)
        self.press(page, "z")
        expect(last).to_contain_text("Took")
        expect(last.locator(".text-output")).to_contain_text("late")

    def test_a_kinds_of_cells(self):
        """Only what is something else is changed: code has its language, and a key that changes nothing is not taken back."""
        sources = ["%sql\nSELECT 1", "x = 1", "words", "%sh ls"]
        cells = [code(place, one) for place, one in enumerate(sources)]
        cells[2] = {"cell_type": "markdown", "id": "c2", "metadata": {}, "source": "words"}
        number, page = self.notebook("kinds", cells)
        kinds = lambda: ["".join(one["source"]) + "/" + one["cell_type"] for one in self.cells(number)]
        self.select(page, 1, "dd")
        expect(page.locator(".cell")).to_have_count(3)
        self.select(page, 0, "Control+A", "y")
        expect(page.locator(".cell.markdown")).to_have_count(0)
        self.press(page, "y")
        self.select(page, 0, "y")
        self.saved(page)
        self.assertEqual(kinds(), ["%sql\nSELECT 1/code", "words/code", "%sh ls/code"])
        self.press(page, "z")
        expect(page.locator(".cell.markdown")).to_have_count(1)
        self.select(page, 1, "m")
        self.press(page, "z")
        expect(page.locator(".cell")).to_have_count(4)
        self.saved(page)
        self.assertEqual(kinds(), ["%sql\nSELECT 1/code", "x = 1/code", "words/markdown", "%sh ls/code"])
        # A digit makes a heading, in place of the one that there is; and r what is neither code nor a text.
        self.select(page, 1, "2")
        expect(page.locator(".cell h3")).to_have_text("x = 1")
        self.select(page, 1, "3")
        expect(page.locator(".cell h4")).to_have_text("x = 1")
        self.select(page, 3, "r")
        expect(page.get_by_label("Language of cell 4")).to_have_value("raw")
        self.saved(page)
        self.assertEqual(kinds(), ["%sql\nSELECT 1/code", "### x = 1/markdown", "words/markdown", "ls/raw"])
        self.select(page, 2, "Control+A", "1")
        self.saved(page)
        self.assertEqual(kinds(), ["# SELECT 1/markdown", "# x = 1/markdown", "# words/markdown", "# ls/markdown"])
        self.press(page, "z")
        self.select(page, 0, "h")
        expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        page.keyboard.press("Escape")
        self.press(page, "s")
        expect(page.locator(".toast").filter(has_text=re.compile("^Saved"))).to_be_visible()
        self.press(page, "f")
        expect(page.get_by_label("Find", exact=True)).to_be_focused()

    def test_b_found_and_replaced(self):
        """In all cells, also in those that are not made yet and in the texts; what is replaced is taken back as one."""
        cells = [code(number, f"total_{number} = {number}") for number in range(40)]
        number, page = self.notebook("found", cells)
        page.locator("#cell-c0 .cell-source").click()
        page.locator(".monaco-editor textarea").wait_for()
        self.press(page, "Control+f")
        field = page.get_by_label("Find", exact=True)
        expect(field).to_be_focused()
        field.fill("TOTAL_3")
        expect(page.get_by_text("1 of 11")).to_be_visible()
        look(self, page, stage.axe, PICTURES / "notebook-find")
        self.press(page, "Shift+Enter")
        expect(page.get_by_text("11 of 11")).to_be_visible()
        expect(page.locator("#cell-c39")).to_be_in_viewport()
        expect(field).to_be_focused()
        page.get_by_label("Regular expression").click()
        field.fill(r"total_(\d+) =")
        page.get_by_label("Replace by").fill("sum$1 =")
        page.get_by_role("button", name="Replace all").click()
        expect(page.get_by_text("Replaced 40 places in 40 cells.")).to_be_visible()
        page.locator(".toast").last.hover()
        self.press(page, "Control+s")
        self.saved(page)
        self.assertEqual("".join(self.cells(number)[35]["source"]), "sum35 = 35")
        page.locator(".toast").get_by_role("button", name="Undo").click()
        expect(page.get_by_text("of 40")).to_be_visible()
        field.focus()
        self.press(page, "Escape")
        expect(page.locator(".find")).to_have_count(0)
        self.press(page, "Control+s")
        self.saved(page)
        eventually("it is as it was", lambda: "".join(self.cells(number)[35]["source"]) == "total_35 = 35")

    def test_c_replaced_one_by_one(self):
        """The next place is behind what was put in; and what is taken back is what was replaced, and nothing else."""
        _, page = self.notebook("replaced", [code(0, "aa aa"), code(1, "aa"), code(2, "other")])
        page.locator("#cell-c0").focus()
        self.press(page, "Control+f")
        page.get_by_label("Regular expression").click()
        page.get_by_label("Find", exact=True).fill("(a)a")
        page.get_by_label("Replace by").fill("$1$1$1")
        page.get_by_role("button", name="Replace", exact=True).click()
        self.shows(page, ["aaa aa", "aa", "other"])
        expect(page.get_by_text("2 of 3")).to_be_visible()
        page.get_by_role("button", name="Replace", exact=True).click()
        self.shows(page, ["aaa aaa", "aa", "other"])
        expect(page.get_by_text("3 of 3")).to_be_visible()
        page.get_by_label("Find", exact=True).fill("a+")
        page.get_by_label("Replace by").fill("b")
        page.get_by_role("button", name="Replace all").click()
        self.shows(page, ["b b", "b", "other"])
        page.locator(".toast").last.hover()
        page.locator("#cell-c2").focus()
        self.press(page, "Enter")
        page.locator(".monaco-editor textarea").wait_for()
        self.press(page, "Control+A")
        paste(page, "typed since")
        page.locator(".toast").get_by_role("button", name="Undo").click()
        page.locator("#cell-c0").focus()
        self.shows(page, ["aaa aaa", "aa", "typed since"])


if __name__ == "__main__":
    unittest.main(failfast=True)
