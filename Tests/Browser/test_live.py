"""Notebooks that run on the server, in real Chromium on real Spark: closed tabs, a killed workspace, two browsers.

The settings are those of test_page.py. Figures that are printed are measured, not demanded: a busy machine is slower.
"""

import base64
import os
import re
import unittest

import nbformat
from harbour import PICTURES, Stage, eventually, write
from looks import look
from playwright.sync_api import expect

LINES = [f"line {number}" for number in range(40)]
SLOW = "import time\nfor i in range(40):\n    print('line', i, flush=True)\n    time.sleep(0.15)"


def until(flag, source):
    """A cell that goes on when a file is there: what is looked at meanwhile is under way for as long as that takes."""
    return f"import pathlib, time\n{source}\nwhile not pathlib.Path({str(flag)!r}).exists():\n    time.sleep(0.05)\n"


TABLE = (
    "frame = spark.createDataFrame([('Oslo', 3), ('Rome', 5), ('Valletta', 8)], 'name string, total int')\n"
    "frame.createOrReplaceTempView('totals')\ndisplay(frame)")
PLOT = "import matplotlib.pyplot as plt\nframe.toPandas().plot.bar(x='name', y='total')\nplt.show()\nprint('drawn')"


def setUpModule():
    global stage, platform, axe, cluster
    # More than the hundred thousand lines, and less than what is cut.
    os.environ["HARBOUR_DRIVER_OUTPUT_LIMIT"] = "4MiB"
    unittest.addModuleCleanup(os.environ.pop, "HARBOUR_DRIVER_OUTPUT_LIMIT")
    stage = Stage(seconds=120, cluster="lab")
    platform, axe, cluster = stage.platform, stage.axe, stage.cluster


class LiveTests(unittest.TestCase):
    def setUp(self):
        self.said = []
        self.contexts = []

    def tearDown(self):
        if self._outcome.result.failures or self._outcome.result.errors:
            for number, context in enumerate(self.contexts):
                for page in context.pages:
                    page.screenshot(path=PICTURES / f"failed-{self._testMethodName}-{number}.png")
        for context in self.contexts:
            context.close()
        self.assertEqual(self.said, [])

    def notebook(self, name, sources, outputs=None):
        """Puts a notebook into the workspace and attaches it; its id and its address."""
        path = f"/Shared/{name}"
        made = platform.notebook(path, sources, dict.fromkeys(range(len(sources)), outputs or []))
        platform.call("POST", f"/api/v1/notebooks/{made}/attach", {"cluster_id": cluster})
        return made, f"/workspace{path}"

    def open(self, address):
        """A browser of its own that is signed in and looks at a notebook."""
        context = stage.new_context()
        self.contexts.append(context)
        page = stage.new_page(context, self.said)
        stage.sign_in(page, address)
        expect(page.locator(".cell").first).to_be_visible()
        return page

    def look(self, page, name):
        look(self, page, axe, PICTURES / name)

    def lines(self, page, cell=0):
        text = page.locator(".cell").nth(cell).locator(".text-output").first.inner_text()
        return [line for line in text.split("\n") if line]

    def test_1_run_all_goes_on_without_a_tab(self):
        """The tab is closed in the first cell; nobody is there when the others run."""
        go_on = platform.folder / "closed"
        self.addCleanup(go_on.touch)
        held = until(go_on, "for i in range(3): print('line', i, flush=True)") + "for i in range(3, 40): print('line', i, flush=True)"
        number, address = self.notebook("closed", [held, "x = 6 * 7", "print('answer', x)", "spark.range(3).show()"])
        page = self.open(address)
        page.get_by_role("button", name="Run all", exact=True).click()
        expect(page.locator(".cell").nth(0).get_by_text("line 2")).to_be_visible()
        expect(page.get_by_role("region", name="Queue")).to_contain_text("Then cell 3")
        self.look(page, "notebook-queue")
        page.context.close()
        self.contexts.pop()
        go_on.touch()
        self.settled(number)
        page = self.open(address)
        expect(page.locator(".cell").nth(2)).to_contain_text("answer 42")
        expect(page.locator(".cell").nth(3)).to_contain_text("|  2|")
        self.assertEqual(self.lines(page), LINES)
        # What stays is in the file as well.
        exported = platform.call("GET", "/api/v1/workspace/export?path=/Shared/closed&format=JUPYTER")
        self.assertIn("line 39", base64.b64decode(exported["content"]).decode())

    def settled(self, number):
        def look():
            try:
                commands = platform.call("GET", f"/api/v1/notebooks/{number}/execution")["commands"]
            except (OSError, RuntimeError):
                return None
            return commands and all(one["state"] not in ("QUEUED", "RUNNING") for one in commands) and commands
        return eventually("the notebook is done", look, 240)

    def test_1a_a_table_and_a_plot(self):
        """Written and run on Spark; the tab is closed and the workspace killed on the way: all of it is there, in order."""
        number, address = self.notebook("figures", [SLOW, TABLE, PLOT, "%sql\nSELECT name, total FROM totals ORDER BY name"])
        page = self.open(address)
        page.get_by_role("button", name="Run all", exact=True).click()
        expect(page.locator(".cell").nth(0).get_by_text("line 2")).to_be_visible()
        page.context.close()
        self.contexts.pop()
        platform.kill("workspace")
        self.assertEqual([one["state"] for one in self.settled(number)], ["FINISHED"] * 4)
        page = self.open(address)
        cell = page.locator(".cell").nth
        self.assertEqual(self.lines(page), LINES)
        expect(cell(1).locator("table")).to_contain_text("Valletta")
        picture = cell(2).get_by_role("img")
        expect(picture).to_be_visible()
        self.assertGreater(picture.evaluate("(one) => one.decode().then(() => one.naturalWidth)"), 200)
        expect(cell(2)).to_contain_text("drawn")
        expect(cell(3).locator("table")).to_contain_text("Oslo")
        self.look(page, "notebook-figures")
        exported = platform.call("GET", "/api/v1/workspace/export?path=/Shared/figures&format=JUPYTER")
        written = nbformat.reads(base64.b64decode(exported["content"]).decode(), as_version=nbformat.NO_CONVERT)
        nbformat.validate(written)
        self.assertEqual([one.output_type for one in written.cells[2].outputs], ["display_data", "stream"])
        self.assertIn("image/png", written.cells[2].outputs[0].data)

    def test_2_workspace_is_killed_in_the_middle(self):
        """kill -9 while cells run: the page comes back by itself, and nothing is lost or there twice."""
        number, address = self.notebook("killed", [SLOW, "print('after')"])
        page = self.open(address)
        page.get_by_role("button", name="Run all", exact=True).click()
        expect(page.locator(".cell").nth(0).get_by_text("line 2")).to_be_visible()
        platform.kill("workspace")
        commands = self.settled(number)
        self.assertEqual([one["state"] for one in commands], ["FINISHED", "FINISHED"])
        expect(page.locator(".cell").nth(1).locator(".text-output")).to_contain_text("after")
        expect(page.locator(".cell").nth(0)).to_contain_text("line 39")
        self.assertEqual(self.lines(page), LINES)
        expect(page.get_by_text("DataHarbour cannot be reached.")).to_have_count(0)
        page.reload()
        expect(page.locator(".cell").nth(0)).to_contain_text("line 39")
        self.assertEqual(self.lines(page), LINES)

    def test_2a_what_is_told_of_a_running_cell_clears_nothing(self):
        """A page that comes while a cell runs hears that it runs when it is warned and when it is interrupted."""
        warned = platform.folder / "warned"
        _, address = self.notebook("told", [
            "import pathlib, time\nfrom harbour_runtime import showing\n"
            "for i in range(5):\n    print('line', i, flush=True)\n"
            f"while not pathlib.Path({str(warned)!r}).exists():\n    time.sleep(0.05)\n"
            "wrong = {'kind': 'SLIDER', 'name': 'x', 'default_value': ''}\n"
            "showing.publish({showing.WIDGETS_MIME: {'removed': [], 'declared': [wrong]}})\n"
            "print('line', 5, flush=True)\nwhile True:\n    time.sleep(0.05)"])
        page = self.open(address)
        page.get_by_label("Run cell 1").click()
        cell = page.locator(".cell").first
        for _ in range(2):
            expect(cell).to_contain_text("line 4")
            expect(page.get_by_role("region", name="Queue")).to_contain_text("Runs cell 1")
            self.assertEqual(self.lines(page), LINES[:5])
            page.reload()
        expect(page.get_by_role("region", name="Queue")).to_contain_text("Runs cell 1")
        warned.touch()
        expect(cell).to_contain_text("The cell's change of widgets is not valid")
        expect(cell).to_contain_text("line 5")
        self.assertEqual(self.lines(page), LINES[:6])
        page.reload()
        expect(page.get_by_role("region", name="Queue")).to_contain_text("Runs cell 1")
        page.get_by_role("button", name="Interrupt").click()
        expect(cell).to_contain_text("Not run to its end")
        self.assertEqual(self.lines(page), LINES[:6])

    def test_2_what_could_not_be_asked_is_asked_again(self):
        """The server goes away while a notebook is opened: what it runs on, and others' changes, are learnt all the same."""
        number, address = self.notebook("asked", ["one = 1"])
        context = stage.new_context()
        self.contexts.append(context)
        page = stage.new_page(context, self.said)
        lost = []

        def lose(route):
            if lost.count(route.request.url) < 2:
                lost.append(route.request.url)
                return route.abort("connectionrefused")
            return route.continue_()

        page.route(re.compile(rf"/api/v1/notebooks/{number}/execution$"), lose)
        stage.sign_in(page, address)
        expect(page.locator(".attach")).to_contain_text("lab")
        page.route(re.compile(rf"/api/v1/notebooks/{number}\?"), lose)
        theirs = platform.call("GET", f"/api/v1/notebooks/{number}")
        theirs["document"]["cells"][0]["source"] = "theirs = 1"
        platform.call("PUT", f"/api/v1/notebooks/{number}", {
            "base_revision_id": theirs["revision_id"], "document": theirs["document"]})
        expect(page.locator(".cell").first).to_contain_text("theirs = 1")
        self.assertEqual(len(lost), 4)

    def test_2b_run_all_before_the_cluster_is_known(self):
        """Who is quicker than the page's question for the cluster is asked for one, and need not answer."""
        page, held = self.open_unanswered("quick", ["print('it', 'ran')"])
        page.get_by_role("button", name="Run all", exact=True).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        held[0].continue_()
        expect(page.locator(".cell .text-output")).to_contain_text("it ran")
        expect(page.get_by_role("dialog")).to_have_count(0)

    def test_2c_two_cells_before_the_cluster_is_known(self):
        """Both run, the first one first, also when the second was asked for before there was a dialog."""
        page, held = self.open_unanswered("quicker", ["print('the', 'first')", "print('the', 'second')"])
        page.locator(".cell").first.focus()
        page.evaluate("""async () => {
            for (let press = 0; press < 2; press += 1) {
                document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", shiftKey: true, bubbles: true, cancelable: true }));
                // What it changes is drawn before the next timer.
                for (let turn = 0; turn < 5; turn += 1) await null;
            }
        }""")
        expect(page.get_by_role("dialog")).to_be_visible()
        held[0].continue_()
        expect(page.locator(".cell").nth(1).locator(".text-output")).to_contain_text("the second")
        expect(page.locator(".cell").nth(0).locator(".text-output")).to_contain_text("the first")
        expect(page.locator(".cell").nth(0).locator(".cell-count")).to_have_text("1")
        expect(page.locator(".cell").nth(1).locator(".cell-count")).to_have_text("2")
        expect(page.get_by_role("dialog")).to_have_count(0)

    def test_2d_a_kernel_is_there_before_the_answer(self):
        """What was told after an answer was written counts, although the answer comes later."""
        number, address = self.notebook("late", ["print('be', 'fore')", "print('af', 'ter')"])
        execution, held = f"/api/v1/notebooks/{number}/execution", []
        page = self.open(address)
        page.get_by_label("Run cell 1").click()
        expect(page.locator(".cell").nth(0)).to_contain_text("be fore")
        # Who hears the page is told as well.
        expect(page.get_by_role("status").filter(has_text="Cell 1 has run.")).to_have_count(1)
        old = platform.call("GET", execution)["session"]["context_id"]
        page.route(f"**/api/v1/notebooks/{number}/restart", lambda route: held.append((route, route.fetch())))
        page.get_by_role("button", name="More", exact=True).click()
        page.get_by_role("menuitem", name="Restart the kernel").click()
        page.get_by_role("dialog").get_by_role("button", name="Restart").click()

        eventually("the answer", lambda: page.title() and held)

        def is_new():
            session = platform.call("GET", execution)["session"]
            return session["kernel"] == "READY" and session["context_id"] != old
        eventually("another kernel", is_new)
        # It is told of after the kernel, so who has seen it has seen that.
        platform.call("POST", f"/api/v1/notebooks/{number}/commands", {"scope": "SELECTED", "cell_ids": ["c1"]})
        expect(page.locator(".cell").nth(1)).to_contain_text("af ter")
        expect(page.get_by_text("idle")).to_be_visible()
        (route, answer), = held
        with page.expect_response(route.request.url):
            route.fulfill(response=answer)
        # Asked and answered after it, and drawn.
        page.evaluate("fetch('/api/v1/me').then(() => new Promise((drawn) => setTimeout(drawn)))")
        self.assertIn("idle", page.get_by_role("button", name="lab").inner_text())

    def open_unanswered(self, name, sources):
        """A notebook that is looked at while nothing is known of its execution, and the question for that."""
        number, address = self.notebook(name, sources)
        context = stage.new_context()
        self.contexts.append(context)
        held, question = [], f"**/api/v1/notebooks/{number}/execution"
        page = stage.new_page(context, self.said)
        page.route(question, lambda route: held.append(route), times=1)
        with page.expect_request(question):
            stage.sign_in(page, address)
        expect(page.locator(".cell").first).to_be_visible()
        return page, held

    def test_3_two_browsers_on_one_notebook(self):
        go_on = platform.folder / "shared"
        self.addCleanup(go_on.touch)
        number, address = self.notebook("shared", ["a = 1", "b = 2", until(go_on, "") + "print('done')", "print('meanwhile')"])
        ann, bob = self.open(address), self.open(address)
        expect(ann.get_by_label("Who is here")).to_be_visible()
        expect(bob.get_by_label("Who is here")).to_be_visible()
        # Each writes in another cell, and sees the other there.
        write(ann, 1, "a = 'from ann'")
        expect(bob.locator(".cell").nth(0).locator(".person-tag")).to_contain_text("writes")
        write(bob, 2, "b = 'from bob'")
        expect(ann.locator(".cell").nth(1)).to_contain_text("from bob")
        expect(bob.locator(".cell").nth(0)).to_contain_text("from ann")
        for page in (ann, bob):
            expect(page.get_by_text("Saved", exact=True)).to_be_visible()
        # What one runs, the other sees, and may interrupt.
        ann.get_by_label("Run cell 3").click()
        expect(bob.get_by_role("region", name="Queue")).to_contain_text("Runs cell 3")
        self.look(bob, "notebook-two")
        go_on.touch()
        for page in (ann, bob):
            expect(page.locator(".cell").nth(2).locator(".text-output")).to_contain_text("done")
        sources = [cell["source"] for cell in platform.call("GET", f"/api/v1/notebooks/{number}")["cells"]]
        self.assertEqual(sources[:2], ["a = 'from ann'", "b = 'from bob'"])
        # Both in one cell, neither knowing of the other: nobody is overwritten silently.
        saving, held = re.compile(rf"/api/v1/notebooks/{number}$"), []
        ann.route(saving, lambda route: held.append(route) if route.request.method == "PUT" else route.continue_())
        write(ann, 1, "a = 'ann again'")
        eventually("ann's is on its way", lambda: ann.evaluate("true") and held)
        write(bob, 1, "a = 'bob as well'")
        for route in held:
            route.continue_()
        ann.unroute(saving)
        dialogs = lambda: [page for page in (ann, bob) if page.get_by_role("dialog").count()]
        page = eventually("one is asked", dialogs)[0]
        expect(page.get_by_role("dialog")).to_contain_text("Somebody else has saved")
        # What is put out while it is decided stays, though it is not in what was saved.
        expect(page.get_by_role("dialog").get_by_role("button", name="Save mine on top")).to_be_visible()
        (bob if page is ann else ann).get_by_label("Run cell 4").click()
        expect(page.locator(".cell").nth(3).locator(".text-output")).to_have_text("meanwhile")
        page.get_by_role("button", name="Drop mine, take theirs").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.locator(".cell").nth(3).locator(".text-output")).to_have_text("meanwhile")
        for page in (ann, bob):
            expect(page.get_by_text("Saved", exact=True)).to_be_visible()
        # An editor has its blanks as such that lines are not broken at.
        first = lambda page: page.locator(".cell").nth(0).inner_text().split("\n")[0].replace("\u00a0", " ")
        eventually("both see the same", lambda: first(ann) == first(bob))

    def test_4_offline_and_back(self):
        _, address = self.notebook("offline", [SLOW])
        page = self.open(address)
        page.get_by_label("Run cell 1").click()
        expect(page.locator(".cell").nth(0).get_by_text("line 2")).to_be_visible()
        page.context.set_offline(True)
        page.evaluate("dispatchEvent(new Event('offline'))")
        expect(page.get_by_text("DataHarbour cannot be reached.")).to_be_visible()
        page.screenshot(path=PICTURES / "notebook-offline.png")
        page.context.set_offline(False)
        page.evaluate("dispatchEvent(new Event('online'))")
        expect(page.locator(".cell").nth(0)).to_contain_text("line 39")
        self.assertEqual(self.lines(page), LINES)
        expect(page.get_by_text("DataHarbour cannot be reached.")).to_have_count(0)

    def test_5_a_hundred_thousand_lines(self):
        _, address = self.notebook("flood", [
            "for i in range(100_000):\n    print('a line of output, number', i)",
            "for i in range(0, 5_000, 1000):\n    print('\\n'.join(str(j).rjust(999) for j in range(i, i + 1000)))"])
        page = self.open(address)
        # The longest time between two frames while the lines come.
        page.evaluate(
            "window.longest = 0; window.before = performance.now();"
            "const look = (now) => { window.longest = Math.max(window.longest, now - window.before);"
            " window.before = now; requestAnimationFrame(look); }; requestAnimationFrame(look);")
        # How often the page is written to, and the most text that is in it.
        page.evaluate(
            "window.changes = 0; window.most = 0; new MutationObserver(() => { window.changes += 1;"
            " window.most = Math.max(window.most, document.body.textContent.length); })"
            ".observe(document.querySelector('.cell'), { childList: true, characterData: true, subtree: true })")
        page.get_by_label("Run cell 1").click()
        expect(page.locator(".cell").nth(0)).to_contain_text("number 99999")
        print(f"\n  100,000 lines: the longest frame took {page.evaluate('window.longest'):.0f} ms, "
              f"{page.evaluate('window.changes')} changes of the page, at most {page.evaluate('window.most')} characters")
        # One a frame at most, however long it takes.
        self.assertLess(page.evaluate("window.changes"), 5000, "the page is written to for every few lines")
        self.assertLess(page.evaluate("window.most"), 50_000, "more of the lines is in the page than is looked at")
        page.reload()
        expect(page.locator(".cell").nth(0)).to_contain_text("number 99999")
        page.get_by_role("button", name="Show all").click()
        expect(page.locator(".cell").nth(0)).to_contain_text("number 50000")
        # More than a command may put out: the page leads to the rest.
        page.get_by_label("Run cell 2").click()
        second = page.locator(".cell").nth(1)
        expect(second).to_contain_text("The output was cut")
        second.scroll_into_view_if_needed()
        page.screenshot(path=PICTURES / "notebook-output-cut.png")
        expect(second.locator(".cell-status")).to_contain_text("Took")
        for _ in range(2):
            with page.expect_download() as begun:
                second.get_by_role("button", name="Save all of it as a file").click()
            with open(begun.value.path(), encoding="utf-8") as file:
                self.assertEqual(file.read(), "".join(f"{number:>999}\n" for number in range(5_000)))
            page.reload()
            second.scroll_into_view_if_needed()

    def test_6_five_hundred_cells(self):
        text = [{"output_type": "stream", "name": "stdout", "text": ["a line\n"] * 20}]
        _, address = self.notebook("long", [f"x{number} = {number}" for number in range(500)], text)
        page = self.open(address)
        times = []
        for _ in range(3):
            page.goto(platform.url)
            expect(page.locator("h1")).to_have_text("Home")
            page.goto(platform.url + address)
            expect(page.locator(".cell").first).to_be_visible()
            times.append(page.evaluate(
                "new Promise((resolve) => { const look = () => document.querySelectorAll('.cell').length >= 500"
                " ? resolve(performance.now()) : requestAnimationFrame(look); look(); })"))
        print(f"\n  500 cells are there {min(times):.0f} ms after the page was asked for")

    def test_7_names_are_completed_and_explained(self):
        go_on = platform.folder / "names"
        self.addCleanup(go_on.touch)
        _, address = self.notebook("names", [
            "import pandas as pd\ndf = pd.DataFrame({'tonnage': [1, 2], 'harbour': ['a', 'b']})", "", "",
            until(go_on, "print('line', 2, flush=True)")])
        page = self.open(address)
        page.on("console", lambda line: self.said.append(line.text) if "Content Security" in line.text else None)
        # Nobody is asked before anything has run, and no kernel is started for it.
        write(page, 2, "frame")
        page.keyboard.press("Control+Space")
        expect(page.get_by_role("status").get_by_text("Nothing is known to go on with")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator(".editor-tip")).to_have_count(0)
        page.get_by_label("Run cell 1").click()
        expect(page.locator(".cell").nth(0)).to_contain_text("Took")
        options = page.locator(".suggest-widget.visible").get_by_role("option")
        # The cursor is behind a character of two code units.
        write(page, 2, "'😀', df.t")
        self.asks(page, "Tab", options)
        self.look(page, "notebook-completion")
        # On the phone it would have stood elsewhere, so it is closed.
        expect(options).to_have_count(0)
        self.asks(page, "Tab", options)
        page.keyboard.type("onn")
        expect(options).to_have_count(1)
        field, lines = (page.locator(".cell").nth(1).locator(one) for one in ("textarea", ".view-lines"))
        # Readers of the screen are told which row is meant.
        expect(field).to_have_attribute("aria-activedescendant", re.compile("."))
        page.keyboard.press("Enter")
        expect(options).to_have_count(0)
        expect(lines).to_contain_text("'😀', df.tonnage")
        # Esc closes the list, and only then leaves the cell.
        write(page, 2, "df.h")
        self.asks(page, "Control+Space", options.filter(has_text="head"))
        page.keyboard.press("Escape")
        expect(options).to_have_count(0)
        expect(field).to_be_focused()
        write(page, 2, "pd.DataFrame(")
        told = page.get_by_role("region", name="Documentation")
        self.asks(page, "Shift+Tab", told)
        expect(told).to_contain_text("Two-dimensional")
        self.look(page, "notebook-documentation")
        expect(told).to_have_count(0)
        self.asks(page, "Shift+Tab", told)
        page.keyboard.press("Escape")
        expect(told).to_have_count(0)
        # At the start of a line Tab is an indent, and Shift-Tab takes it away.
        page.keyboard.press("Control+A")
        page.keyboard.press("Delete")
        page.keyboard.press("Tab")
        page.keyboard.type("x")
        expect(lines).to_have_text(re.compile("^[ \u00a0]{4}x$"))
        page.keyboard.press("Home")
        page.keyboard.press("Shift+Tab")
        expect(lines).to_have_text(re.compile("^x$"))
        self.sql_is_completed(page, options)
        # While a cell runs the kernel is left in peace.
        page.get_by_label("Run cell 4").click()
        expect(page.locator(".cell").nth(3).get_by_text("line 2")).to_be_visible()
        write(page, 2, "df.ton")
        page.keyboard.press("Tab")
        expect(page.get_by_role("status").get_by_text("The kernel is busy")).to_be_visible()
        page.screenshot(path=PICTURES / "notebook-completion-busy.png")
        go_on.touch()

    def test_8_what_is_typed_before_the_editor_is_there(self):
        """Monaco takes its time: a plain field takes what is typed, and hands all of it over."""
        _, address = self.notebook("early", ["x = 1", "y = 2"])
        page = self.open(address)
        held = []
        page.route("**/editor.main.js", lambda route: held.append(route))
        with page.expect_request("**/editor.main.js"):
            page.locator(".cell-source").first.click()
        expect(page.locator(".plain-editor")).to_be_focused()
        page.keyboard.press("Control+End")
        page.keyboard.type("00\nprint(x)")
        for _ in range(2):
            page.keyboard.press("ArrowLeft")
        held[0].continue_()
        page.locator(".monaco-editor textarea").wait_for()
        # It stands where it stood, and goes on.
        page.keyboard.type("x, ")
        cell = page.locator(".cell").first
        self.shows(cell, ["x = 100", "print(x, x)"])
        page.keyboard.press("Control+z")
        page.keyboard.press("Escape")
        expect(cell).to_be_focused()
        expect(page.locator(".monaco-editor")).to_have_count(0)

    def test_9_a_phone_and_no_editor(self):
        """Touch screens have the plain field, and so has everybody whom the editor does not reach."""
        _, address = self.notebook("plain", ["x = 1"])
        phone = stage.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
        cut = stage.new_context()
        self.contexts += [phone, cut]
        asked = []
        for context, isPhone in ((phone, True), (cut, False)):
            page = stage.new_page(context, self.said)
            page.on("request", lambda request: asked.append(request.url) if "monaco" in request.url else None)
            page.route("**/monaco-*/**", lambda route: route.abort())
            stage.sign_in(page, address)
            page.locator(".cell-source").first.click()
            field = page.locator(".plain-editor")
            expect(field).to_be_focused()
            page.keyboard.press("Control+End")
            page.keyboard.type(f"\nprint({'1' if isPhone else '22'})")
            if isPhone:
                page.screenshot(path=PICTURES / "notebook-editing-phone.png")
                self.assertEqual(asked, [])
            page.keyboard.press("Escape")
            expect(page.locator(".cell").first).to_contain_text("print(1)" if isPhone else "print(22)")
            expect(page.get_by_text("Saved", exact=True)).to_be_visible()
        self.assertNotEqual(asked, [])

    def test_a_traceback_leads_to_its_line(self):
        _, address = self.notebook("fails", ["# The first of two\ndef half(x):\n    return x / 0\n", "half(3)"])
        page = self.open(address)
        page.get_by_role("button", name="Run all", exact=True).click()
        failed = page.get_by_role("group", name="Error: ZeroDivisionError")
        failed.get_by_role("button", name=re.compile(r"Cell In\[1\], line 3")).click()
        # The line is marked: what is typed takes its place.
        cell = page.locator(".cell").first
        expect(cell.locator(".monaco-editor textarea")).to_be_focused()
        page.keyboard.type("    return x / 2")
        self.shows(cell, ["# The first of two", "def half(x):", "    return x / 2", ""])
        page.keyboard.press("Control+Enter")
        expect(cell.locator(".cell-count")).to_have_text("3")
        failed.get_by_role("button", name=re.compile(r"Cell In\[1\]")).click()
        expect(page.get_by_text("has run again since")).to_be_visible()

    def shows(self, cell, wanted):
        """The lines in a cell's editor, from the top; they are drawn a frame after they were typed."""
        rows = cell.locator(".view-line")
        place = "(rows) => rows.map((row) => [parseFloat(row.style.top), row.textContent])"
        def shown():
            return [text.replace("\u00a0", " ") for _, text in sorted(rows.evaluate_all(place))]
        eventually(f"the lines are {wanted}", lambda: shown() == wanted)

    @staticmethod
    def asks(page, key, answered):
        """Asks the kernel until there is an answer: one that takes its time is called busy."""
        def is_answered():
            if answered.count() > 0:
                return True
            if page.locator(".editor-tip", has_text="The kernel is busy").count() > 0:
                page.keyboard.press(key)
            return False

        page.keyboard.press(key)
        eventually(f"{key} is answered", is_answered)

    def sql_is_completed(self, page, options):
        # The tools of a cell are there when it is selected.
        page.locator(".cell").nth(2).focus()
        language = page.get_by_label("Language of cell 3")
        language.focus()
        language.select_option("sql")
        write(page, 3, "SELECT * FROM defa")
        # The only way is taken at once.
        self.asks(page, "Tab", page.locator(".cell").nth(2).locator(".view-lines", has_text=re.compile(r"FROM\sdefault")))
        expect(options).to_have_count(0)


if __name__ == "__main__":
    unittest.main(failfast=True)
