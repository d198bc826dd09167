"""The widgets of a notebook in real Chromium on real Spark: chosen in one browser, seen in another, kept by the server.

The settings are those of test_page.py.
"""

import base64
import json
import re
import unittest

from harbour import PICTURES, ROOT, Stage, eventually
from looks import look
from playwright.sync_api import expect

DECLARE = (
    "dbutils.widgets.text('day', 'monday', 'Day')\n"
    "dbutils.widgets.dropdown('city', 'Rome', ['Oslo', 'Rome', 'Valletta'], 'City')\n"
    "dbutils.widgets.combobox('airline', 'AZ', ['AZ', 'LH', 'SK'])\n"
    "dbutils.widgets.multiselect('ports', 'A', ['A', 'B', 'C', 'D'], 'Ports')"
)
SHOW = "print(*[dbutils.widgets.get(name) for name in ('day', 'city', 'airline', 'ports')], sep=' / ')"
QUERY = "%sql\nSELECT :city AS city, upper(:day) AS day"
SQL = "%sql\nCREATE WIDGET DROPDOWN level DEFAULT '2' CHOICES SELECT id FROM range(1, 4)"


def setUpModule():
    global stage, platform, cluster
    stage = Stage(seconds=120, cluster="lab")
    platform, cluster = stage.platform, stage.cluster


class WidgetTests(unittest.TestCase):
    def setUp(self):
        self.pages = []
        stage.said.clear()

    def tearDown(self):
        for number, page in enumerate(self.pages):
            if self._outcome.result.failures or self._outcome.result.errors:
                page.screenshot(path=PICTURES / f"failed-{self._testMethodName}-{number}.png")
            page.context.close()
        self.assertEqual(stage.said, [])

    def notebook(self, name, sources, is_attached=True, **metadata):
        made = platform.notebook(f"/Shared/{name}", sources, metadata=metadata)
        if is_attached:
            platform.call("POST", f"/api/v1/notebooks/{made}/attach", {"cluster_id": cluster})
        return made, f"/workspace/Shared/{name}"

    def open(self, address, token=None):
        page = stage.new_page(stage.new_context())
        self.pages.append(page)
        page.goto(platform.url + address)
        page.get_by_label("Sign-in token").fill(token or platform.token)
        page.keyboard.press("Enter")
        expect(page.locator(".cell").first).to_be_visible()
        return page

    def kept(self, number):
        widgets = platform.call("GET", f"/api/v1/notebooks/{number}/execution")["widgets"]
        return {one["name"]: one.get("value", one["default_value"]) for one in widgets}

    def answers(self, number):
        try:
            return self.kept(number)
        except (OSError, RuntimeError):
            return None

    def bar(self, page):
        return page.get_by_role("region", name="Widgets", exact=True)

    def test_1_chosen_run_shared_and_kept(self):
        number, address = self.notebook("widgets", [DECLARE, SHOW, QUERY])
        ann = self.open(address)
        expect(self.bar(ann)).to_have_count(0)
        ann.get_by_role("button", name="Run all", exact=True).click()
        shown = ann.locator(".cell").nth(1).locator(".text-output")
        expect(shown).to_have_text("monday / Rome / AZ / A")
        expect(ann.locator(".cell").nth(2)).to_contain_text("MONDAY")
        # What declares them puts nothing out.
        expect(ann.locator(".cell").nth(0).locator(".outputs > *")).to_have_count(0)
        bob = self.open(address)
        expect(self.bar(bob).get_by_label("City", exact=True)).to_have_value("Rome")

        # Each kind by the keyboard: Enter keeps a text, arrows choose, the list of checkboxes ends with Esc.
        bar = self.bar(ann)
        bar.get_by_label("Day", exact=True).fill("friday")
        ann.keyboard.press("Enter")
        bar.get_by_label("City", exact=True).focus()
        ann.keyboard.press("ArrowDown")
        bar.get_by_label("airline", exact=True).fill("XX")
        ann.keyboard.press("Tab")
        bar.get_by_role("button", name="Ports: A").focus()
        ann.keyboard.press("Enter")
        expect(bar.get_by_role("checkbox", name="A")).to_be_focused()
        ann.keyboard.press("ArrowDown")
        ann.keyboard.press("Space")
        expect(bar.get_by_role("checkbox", name="B")).to_be_checked()
        ann.keyboard.press("ArrowDown")
        ann.keyboard.press("Space")
        look(self, ann, stage.axe, PICTURES / "widgets-list")
        ann.keyboard.press("Escape")
        expect(bar.get_by_role("button", name="Ports: 3 of 4")).to_be_focused()
        ann.keyboard.press("Enter")
        expect(bar.get_by_role("checkbox", name="A")).to_be_focused()
        ann.keyboard.press("Tab")
        expect(bar.get_by_role("checkbox")).to_have_count(0)
        expect(bar).to_contain_text("Changed since the last run")
        other = self.bar(bob)
        expect(other.get_by_label("Day", exact=True)).to_have_value("friday")
        expect(other.get_by_label("City", exact=True)).to_have_value("Valletta")
        expect(other.get_by_role("button", name="Ports: 3 of 4")).to_be_visible()
        eventually("they are kept", lambda: self.kept(number) == {
            "day": "friday", "city": "Valletta", "airline": "XX", "ports": "A,B,C"})
        look(self, bob, stage.axe, PICTURES / "widgets")

        # What is typed and not yet kept is kept before anything runs.
        other.get_by_label("Day", exact=True).fill("sunday")
        bob.get_by_role("button", name="Run all", exact=True).click()
        expect(shown).to_have_text("sunday / Valletta / XX / A,B,C")
        expect(ann.locator(".cell").nth(2)).to_contain_text("SUNDAY")
        expect(bar).not_to_contain_text("Changed since the last run")

        # Neither a new page, nor a new kernel, nor a killed service has others.
        platform.kill("workspace")
        eventually("it is back", lambda: self.answers(number))
        ann.reload()
        expect(self.bar(ann).get_by_label("City", exact=True)).to_have_value("Valletta")
        ann.get_by_role("button", name="More", exact=True).click()
        ann.get_by_role("menuitem", name="Restart the kernel").click()
        ann.get_by_role("dialog").get_by_role("button", name="Restart").click()
        expect(ann.get_by_text("idle")).to_be_visible()
        self.bar(ann).get_by_label("City", exact=True).select_option("Oslo")
        ann.get_by_label("Run cell 2").click()
        expect(shown).to_have_text("sunday / Oslo / XX / A,B,C")

    def test_2_removed_and_brought_back(self):
        number, address = self.notebook("stale", [DECLARE, SQL])
        page = self.open(address)
        page.get_by_role("button", name="Run all", exact=True).click()
        bar = self.bar(page)
        expect(bar.get_by_label("level", exact=True)).to_have_value("2")
        bar.get_by_label("City", exact=True).select_option("Oslo")
        bar.get_by_role("button", name="More for City").click()
        page.get_by_role("menuitem", name="Remove").click()
        # The notice stays for as long as somebody is at it.
        page.locator(".toast").hover()
        expect(bar.get_by_label("City", exact=True)).to_have_count(0)
        eventually("it is gone", lambda: "city" not in self.kept(number))
        page.get_by_role("button", name="Undo").click()
        expect(bar.get_by_label("City", exact=True)).to_have_value("Oslo")
        self.assertEqual(list(self.kept(number)), ["day", "city", "airline", "ports", "level"])
        bar.get_by_role("button", name="More for City").click()
        page.get_by_role("menuitem", name="Back to the default").click()
        expect(bar.get_by_label("City", exact=True)).to_have_value("Rome")

    def test_3_whoever_may_only_look(self):
        _, address = self.notebook("seen", [DECLARE])
        owner = self.open(address)
        owner.get_by_role("button", name="Run all", exact=True).click()
        expect(self.bar(owner).get_by_label("Day", exact=True)).to_be_enabled()
        platform.call("POST", "/api/v1/users", {"user_name": "vera", "role": "VIEWER"})
        token = platform.call("POST", "/api/v1/token/create", {"user_name": "vera"})["token_value"]
        page = self.open(address, token)
        for label in ("Day", "City", "airline"):
            expect(self.bar(page).get_by_label(label, exact=True)).to_be_disabled()
        expect(self.bar(page).get_by_role("button", name="Ports: A")).to_be_disabled()
        expect(self.bar(page).get_by_role("button", name="More for Day")).to_have_count(0)
        look(self, page, stage.axe, PICTURES / "widgets-seen")
        self.bar(owner).get_by_label("City", exact=True).select_option("Oslo")
        expect(self.bar(page).get_by_label("City", exact=True)).to_have_value("Oslo")

    def test_4_many(self):
        """More than fit beside the toolbar scroll away with the cells."""
        source = "for n in range(12):\n    dbutils.widgets.text(f'w{n}', 'a value', f'Parameter {n}')"
        _, address = self.notebook("many", [source])
        page = self.open(address)
        page.get_by_role("button", name="Run all", exact=True).click()
        expect(self.bar(page).get_by_label("Parameter 11", exact=True)).to_be_visible()
        expect(page.locator(".notebook-bar").get_by_role("region", name="Widgets", exact=True)).to_have_count(0)
        look(self, page, stage.axe, PICTURES / "widgets-many")

    def test_5_two_choose_at_once(self):
        """Whoever chose last is shown, also where the answer to one's own choice comes after news of the other's."""
        number, address = self.notebook("race", [DECLARE])
        page = self.open(address)
        page.get_by_role("button", name="Run all", exact=True).click()
        bar = self.bar(page)
        expect(bar.get_by_label("City", exact=True)).to_have_value("Rome")
        held = []
        page.route(f"**/notebooks/{number}/widgets", lambda route: held.append((route, route.fetch())))
        bar.get_by_label("City", exact=True).select_option("Oslo")
        # What is routed is looked at whenever the page is.
        eventually("the answer is held up", lambda: page.evaluate("true") and held)
        self.assertEqual(self.kept(number)["city"], "Oslo")
        platform.call("PATCH", f"/api/v1/notebooks/{number}/widgets", {"values": {"city": "Valletta", "day": "friday"}})
        expect(bar.get_by_label("Day", exact=True)).to_have_value("friday")
        route, answer = held[0]
        route.fulfill(response=answer)
        expect(bar.get_by_label("City", exact=True)).to_have_value("Valletta")
        page.unroute_all()

    def test_6_the_sample(self):
        """Its widget is told whether or not there is data in the folder."""
        content = base64.b64encode((ROOT / "deploy/samples/02_report.py").read_bytes()).decode()
        made = platform.call("POST", "/api/v1/workspace/import", {
            "path": "/Shared/02_report", "content": content, "format": "SOURCE", "language": "PYTHON", "overwrite": True})
        platform.call("POST", f"/api/v1/notebooks/{made['object_id']}/attach", {"cluster_id": cluster})
        page = self.open("/workspace/Shared/02_report")
        page.get_by_role("button", name="Run all", exact=True).click()
        expect(self.bar(page).get_by_label("data_dir", exact=True)).to_have_value("/tmp/dataharbour-samples")
        expect(page.locator(".cell").last).to_contain_text(re.compile("Took|Not run|Cancelled"))
        look(self, page, stage.axe, PICTURES / "widgets-sample")

    def when_changed(self, page, what):
        self.bar(page).get_by_role("button", name="When a value changes").click()
        page.get_by_role("menuitemradio", name=f"On change: {what}").click()

    def test_7_runs_by_itself(self):
        """Where its user wants that: once for each change, and never for what others choose."""
        count = "runs = globals().get('runs', 0) + 1\nprint(runs, end=' / ')\n" + SHOW
        _, address = self.notebook("auto", [DECLARE, count])
        ann, bob = self.open(address), self.open(address)
        ann.get_by_role("button", name="Run all", exact=True).click()
        shown = ann.locator(".cell").nth(1).locator(".text-output")
        bar, other = self.bar(ann), self.bar(bob)
        expect(shown).to_have_text("1 / monday / Rome / AZ / A")
        # Each has a choice of their own, and at first nothing runs.
        self.when_changed(bob, "run the notebook")
        bar.get_by_label("City", exact=True).select_option("Oslo")
        expect(other.get_by_label("City", exact=True)).to_have_value("Oslo")
        bar.get_by_role("button", name="When a value changes").click()
        expect(ann.get_by_role("menuitemradio", name="On change: do nothing")).to_be_checked()
        expect(ann.get_by_role("menuitemradio", name="On change: run the notebook")).not_to_be_checked()
        look(self, ann, stage.axe, PICTURES / "widgets-on-change")
        ann.get_by_role("menuitemradio", name="On change: run the notebook").click()
        bar.get_by_label("City", exact=True).select_option("Valletta")
        expect(shown).to_have_text("2 / monday / Valletta / AZ / A")
        # A text when its field is left, a list when it is closed.
        bar.get_by_label("Day", exact=True).fill("friday")
        ann.keyboard.press("Tab")
        expect(shown).to_have_text("3 / friday / Valletta / AZ / A")
        bar.get_by_role("button", name="Ports: A").click()
        bar.get_by_role("checkbox", name="B").check()
        bar.get_by_role("checkbox", name="D").check()
        expect(other.get_by_role("button", name="Ports: 3 of 4")).to_be_visible()
        ann.keyboard.press("Escape")
        expect(shown).to_have_text("4 / friday / Valletta / AZ / A,B,D")
        expect(ann.get_by_role("button", name="Run all", exact=True)).to_be_visible()
        # Whoever leaves the field for the button wants one run, and gets it.
        bar.get_by_label("Day", exact=True).fill("sunday")
        ann.get_by_role("button", name="Run all", exact=True).click()
        expect(shown).to_have_text("5 / sunday / Valletta / AZ / A,B,D")
        # What runs goes in one order: more runs than these would have come before.
        bar.get_by_role("button", name="More for City").click()
        ann.get_by_role("menuitem", name="Back to the default").click()
        expect(shown).to_have_text("6 / sunday / Rome / AZ / A,B,D")
        # The choice stays.
        ann.reload()
        bar.get_by_label("City", exact=True).select_option("Oslo")
        expect(shown).to_have_text("7 / sunday / Oslo / AZ / A,B,D")
        self.when_changed(ann, "do nothing")
        bar.get_by_label("City", exact=True).select_option("Rome")
        expect(other.get_by_label("City", exact=True)).to_have_value("Rome")
        ann.get_by_label("Run cell 2").click()
        expect(shown).to_have_text("8 / sunday / Rome / AZ / A,B,D")

    def test_7d_only_what_reads_it(self):
        """By its name in Python and in SQL, in order; a name that is made while the cell runs may be any."""
        count = "runs = globals().get('runs', [])\nruns.append({0})\nprint(*runs)\n"
        number, address = self.notebook("readers", [
            DECLARE, count.format(1) + "dbutils.widgets.get('city')", count.format(2) + 'dbutils.widgets.get("day")',
            count.format(3) + "for name in ['city']: dbutils.widgets.get(name)", "%sql\nSELECT :city AS city, 2::int AS day"])
        page, asked = self.open(address), []
        page.on("request", lambda request: asked.append(request.post_data_json) if request.url.endswith("/commands") else None)
        page.get_by_role("button", name="Run all", exact=True).click()
        cell = page.locator(".cell").nth
        expect(cell(3).locator(".text-output")).to_have_text("1 2 3")
        expect(cell(4)).to_contain_text("Rome")
        self.when_changed(page, "run the cells that read it")
        self.bar(page).get_by_label("City", exact=True).select_option("Oslo")
        expect(cell(4)).to_contain_text("Oslo")
        expect(cell(3).locator(".text-output")).to_have_text("1 2 3 1 3")
        self.bar(page).get_by_label("Day", exact=True).fill("friday")
        page.keyboard.press("Enter")
        expect(cell(3).locator(".text-output")).to_have_text("1 2 3 1 3 2 3")
        self.assertEqual([one.get("cell_ids") for one in asked], [None, ["c1", "c3", "c4"], ["c2", "c3"]])

    def test_7a_the_window_is_left(self):
        """What is half typed then is kept, and nothing runs before it is settled."""
        count = "runs = globals().get('runs', 0) + 1\nprint(runs, end=' / ')\n" + SHOW
        number, address = self.notebook("window", [DECLARE, count])
        page, runs = self.open(address), []
        page.on("request", lambda request: runs.append(request.url) if request.url.endswith("/commands") else None)
        page.get_by_role("button", name="Run all", exact=True).click()
        shown = page.locator(".cell").nth(1).locator(".text-output")
        expect(shown).to_have_text("1 / monday / Rome / AZ / A")
        self.when_changed(page, "run the notebook")
        day = self.bar(page).get_by_label("Day", exact=True)
        # A browser that is driven keeps the keyboard: what it would tell is told here.
        for text, leave in (
            ("fri", "document.hasFocus = () => false;"
             " document.activeElement.dispatchEvent(new FocusEvent('focusout', { bubbles: true }))"),
            ("frid", "Object.defineProperty(document, 'hidden', { configurable: true, value: true });"
             " document.dispatchEvent(new Event('visibilitychange'))"),
        ):
            day.fill(text)
            page.evaluate(f"() => {{ {leave}; }}")
            eventually("it is kept", lambda: self.kept(number)["day"] == text)
            page.evaluate("() => { delete document.hasFocus; delete document.hidden; }")
        day.press("Enter")
        expect(shown).to_have_text("2 / frid / Rome / AZ / A")
        day.fill("friday")
        page.keyboard.press("Tab")
        expect(shown).to_have_text("3 / friday / Rome / AZ / A")
        expect(page.get_by_role("button", name="Run all", exact=True)).to_be_visible()
        self.assertEqual(len(runs), 3)

    def commands(self, number):
        """What has run last in each cell."""
        commands = platform.call("GET", f"/api/v1/notebooks/{number}/execution")["commands"]
        return {one["cell_id"]: one["command_id"] for one in commands}

    def test_7b_what_was_clicked_is_what_runs(self):
        """Also where it is to run nothing, and where there is nothing to run it on yet."""
        info = {"widgetType": "text", "defaultValue": "monday", "label": "Day", "name": "day", "options": {"widgetType": "text"}}
        number, address = self.notebook("clicked", ["print('one')", "print('two')", "print(dbutils.widgets.get('day'))"], False, **{
            "application/vnd.databricks.v1+notebook": {"language": "python", "widgets": {
                "day": {"currentValue": "monday", "widgetInfo": info}}}})
        page = self.open(address)
        self.when_changed(page, "run the notebook")
        self.bar(page).get_by_label("Day", exact=True).fill("friday")
        page.get_by_label("Run cell 3").click()
        page.get_by_role("dialog").get_by_role("button", name="Attach to lab").click()
        expect(page.locator(".cell").nth(2).locator(".text-output")).to_have_text("friday")
        self.assertEqual(list(self.commands(number)), ["c2"])

    def test_7c_what_ends_something_runs_nothing(self):
        once = "import time\nwhile not globals().get('went'):\n    went = 'once'\n    print('it waits', flush=True)\n    while True:\n        time.sleep(0.05)"
        number, address = self.notebook("ends", [DECLARE, "print('by itself')", once])
        page = self.open(address)
        page.get_by_role("button", name="Run all", exact=True).click()
        cells = [page.locator(".cell").nth(place) for place in range(3)]
        expect(cells[2].locator(".text-output")).to_have_text("it waits")
        self.when_changed(page, "run the notebook")
        day = self.bar(page).get_by_label("Day", exact=True)
        before = self.commands(number)

        def ran_only_one():
            """What runs goes in one order: a run of before would have been in all cells."""
            nonlocal before
            page.get_by_label("Run cell 2").click()
            eventually("it runs", lambda: self.commands(number)["c1"] != before["c1"])
            now = self.commands(number)
            self.assertEqual((now["c0"], now["c2"]), (before["c0"], before["c2"]))
            before = now

        day.fill("friday")
        page.get_by_role("button", name="Interrupt").click()
        expect(cells[2]).to_contain_text("Not run to its end")
        ran_only_one()
        day.fill("sunday")
        page.get_by_role("button", name="More", exact=True).click()
        page.get_by_role("menuitem", name="Restart the kernel").click()
        page.get_by_role("dialog").get_by_role("button", name="Restart").click()
        expect(page.get_by_text("The kernel was restarted")).to_be_visible()
        ran_only_one()
        # Nor does what is left with something chosen and not yet settled.
        ports = self.bar(page).get_by_role("button", name="Ports: A")
        ports.click()
        self.bar(page).get_by_role("checkbox", name="B").check()
        eventually("it is kept", lambda: self.kept(number)["ports"] == "A,B")
        page.evaluate("() => { history.pushState(null, '', '/clusters'); dispatchEvent(new PopStateEvent('popstate')); }")
        expect(page.locator("h1")).to_have_text("Clusters")
        page.go_back()
        expect(self.bar(page).get_by_role("button", name="Ports: A, B")).to_be_visible()
        ran_only_one()
        self.assertEqual(self.kept(number)["day"], "sunday")
        # A menu that is closed again leaves it at that.
        day.fill("monday")
        page.get_by_role("button", name="More", exact=True).click()
        page.keyboard.press("Escape")
        eventually("all of it runs", lambda: all(one != before[cell] for cell, one in self.commands(number).items()))
        expect(cells[2]).to_contain_text("Runs for")
        page.get_by_role("button", name="Interrupt").click()
        expect(cells[2]).to_contain_text("Not run to its end")

    def test_8_what_was_refused(self):
        """Stands at the cell that wanted it, also for whoever comes later."""
        source = (
            "from harbour_runtime import showing\n"
            "wrong = {'kind': 'SLIDER', 'name': 'x', 'default_value': ''}\n"
            "showing.publish({showing.WIDGETS_MIME: {'removed': [], 'declared': [wrong]}})\nprint('it goes on')"
        )
        _, address = self.notebook("refused", [source, "1"])
        page = self.open(address)
        page.get_by_label("Run cell 1").click()
        cell = page.locator(".cell").nth(0)
        expect(cell.locator(".text-output")).to_have_text("it goes on")
        expect(cell).to_contain_text("The cell's change of widgets is not valid")
        page.reload()
        expect(cell).to_contain_text("The cell's change of widgets is not valid")
        expect(self.bar(page)).to_have_count(0)
        look(self, page, stage.axe, PICTURES / "widgets-refused")

    def test_9_of_a_file(self):
        """A notebook that was imported shows its widgets before anything runs, and no cell comes to stand below them."""
        info = {"widgetType": "dropdown", "defaultValue": "south", "label": "Area", "name": "area",
                "options": {"widgetType": "dropdown", "choices": ["north", "south"]}}
        cells = [
            {"cell_type": "code", "id": f"c{number}", "metadata": {}, "source": "1\n" * 9, "execution_count": None, "outputs": []}
            for number in range(40)
        ]
        widgets = {"area": {"currentValue": "north", "widgetInfo": info}}
        document = {"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {
            "application/vnd.databricks.v1+notebook": {"language": "python", "widgets": widgets}}}
        content = base64.b64encode(json.dumps(document).encode()).decode()
        platform.call("POST", "/api/v1/workspace/import", {
            "path": "/Shared/of a file", "content": content, "format": "JUPYTER", "overwrite": True})
        page = self.open("/workspace/Shared/of%20a%20file#cell-c30")
        expect(self.bar(page).get_by_label("Area", exact=True)).to_have_value("north")
        expect(page.locator("#cell-c30")).to_be_in_viewport()
        places = "() => [document.querySelector('.notebook-bar').getBoundingClientRect().bottom,"
        places += " document.querySelector('#cell-c20').getBoundingClientRect().top]"
        expect(page.locator("#cell-c20")).to_be_attached()
        page.evaluate("document.querySelector('#cell-c20').scrollIntoView({block: 'start'})")
        eventually("it stands below the bar", lambda: (lambda bar, top: 0 <= top - bar < 60)(*page.evaluate(places)))
        self.bar(page).get_by_label("Area", exact=True).select_option("south")
        saved = page.expect_download()
        with saved as download:
            page.get_by_role("button", name="More", exact=True).click()
            page.get_by_role("menuitem", name="Save as .ipynb").click()
        file = json.loads(download.value.path().read_text())
        said = file["metadata"]["application/vnd.databricks.v1+notebook"]["widgets"]
        self.assertEqual(said["area"]["currentValue"], "south")


if __name__ == "__main__":
    unittest.main()
