"""The search of the workspace in a real Chromium: by keys and by touch, names and cells, and the way to a cell.

The settings are those of test_page.py.
"""

import base64
import json
import re
import unittest

from harbour import PICTURES, Stage
from looks import look
from playwright.sync_api import expect


def setUpModule():
    global stage, platform, context, page
    stage = Stage()
    platform, context = stage.platform, stage.new_context()
    notebook = [("markdown", "# Sales by city")]
    notebook += [("code", f"step_{number} = {number}") for number in range(38)]
    notebook += [("code", "rows = spark.table('flights')\nrevenue = rows.groupBy('city').sum('revenue')  # Umsatz in €\n")]
    notebook += [("code", "print(revenue)")]
    save("/Shared/sales/Quarterly report", notebook)
    save("/Shared/sales/Revenue model", [("code", "model = fit(data)")])
    for number in range(35):
        save(f"/Shared/many/part {number:02}", [("code", f"# many parts, this is {number}")])
    put("/Shared/sales/cities.csv", "city,revenue\nBonn,12\n")
    page = stage.new_page(context)
    stage.sign_in(page, "/")
    expect(page.locator("h1")).to_have_text("Home")


def put(path, text, format="AUTO"):
    platform.call("POST", "/api/v1/workspace/import", {
        "path": path, "content": base64.b64encode(text.encode()).decode(), "format": format, "overwrite": True})


def save(path, cells):
    document = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
        {"id": f"cell{number}", "cell_type": kind, "metadata": {}, "source": text,
         **({"outputs": [], "execution_count": None} if kind == "code" else {})}
        for number, (kind, text) in enumerate(cells)]}
    put(path, json.dumps(document), "JUPYTER")


class SearchTests(unittest.TestCase):
    def setUp(self):
        stage.said.clear()
        page.goto(f"{platform.url}/")
        expect(page.locator("h1")).to_have_text("Home")

    def tearDown(self):
        if self._outcome.result.failures or self._outcome.result.errors:
            page.screenshot(path=PICTURES / f"failed-{self._testMethodName}.png")
        self.assertEqual(stage.said, [])

    def look(self, name):
        look(self, page, stage.axe, PICTURES / name)

    def field(self):
        return page.get_by_role("combobox", name="Search the workspace")

    def test_keys_alone_lead_to_the_cell(self):
        page.keyboard.press("Control+k")
        expect(self.field()).to_be_focused()
        self.look("search-empty")
        self.field().press_sequentially("revenue")
        options = page.locator(".hit")
        expect(options).to_have_count(3)
        expect(page.get_by_role("status").filter(has_text="3 results")).to_have_count(1)
        # Names first; the first is chosen already.
        expect(options.nth(0)).to_contain_text("Revenue model")
        expect(options.nth(0)).to_have_attribute("aria-selected", "true")
        expect(options.nth(1)).to_contain_text("cities.csv")
        expect(options.nth(1)).to_contain_text("line 1")
        expect(options.nth(2)).to_contain_text("Quarterly report")
        expect(options.nth(2)).to_contain_text("cell 40 and 1 more")
        expect(options.nth(2).locator("mark")).to_have_text(["revenue", "revenue"])
        self.look("search-results")
        page.keyboard.press("ArrowUp")
        expect(options.nth(2)).to_have_attribute("aria-selected", "true")
        active = self.field().get_attribute("aria-activedescendant")
        self.assertEqual(options.nth(2).get_attribute("id"), active)
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Quarterly report")
        self.assertTrue(page.url.endswith("#cell-cell39"), page.url)
        expect(page.locator("#cell-cell39")).to_be_focused()
        expect(page.locator("#cell-cell39")).to_be_in_viewport()
        page.screenshot(path=PICTURES / "search-cell.png")
        # The same cell again, after something else was looked at.
        page.locator("#cell-cell0").scroll_into_view_if_needed()
        page.locator("#cell-cell0").focus()
        page.keyboard.press("Control+k")
        self.field().fill("umsatz €")
        expect(options).to_have_count(1)
        page.keyboard.press("Enter")
        expect(page.locator("#cell-cell39")).to_be_focused()
        expect(page.locator("#cell-cell39")).to_be_in_viewport()
        # Out of an editor as well, and back into it.
        page.keyboard.press("Enter")
        expect(page.locator(".cell.editing .editor :focus")).to_have_count(1)
        page.keyboard.press("Control+k")
        expect(self.field()).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator(".cell.editing .editor :focus")).to_have_count(1)
        # An address of a cell is one by itself.
        page.reload()
        expect(page.locator("#cell-cell39")).to_be_focused()

    def test_keys_are_heard_as_soon_as_the_page_is_there(self):
        # An observer hears of what was drawn before anything that is put off until after it.
        other = stage.new_page(context)
        self.addCleanup(other.close)
        other.add_init_script("""new MutationObserver((_, observer) => {
            if (document.querySelector("h1")?.textContent !== "Home") return;
            observer.disconnect();
            document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "k", ctrlKey: true, bubbles: true }));
        }).observe(document, { childList: true, subtree: true });""")
        other.goto(f"{platform.url}/")
        expect(other.get_by_role("combobox", name="Search the workspace")).to_be_focused()

    def test_escape_gives_the_keyboard_back(self):
        button = page.get_by_role("button", name="Search")
        button.click()
        expect(self.field()).to_be_focused()
        self.field().fill("zzz nothing has this")
        expect(page.get_by_text("Nothing has “zzz nothing has this”")).to_be_visible()
        self.look("search-nothing")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(button).to_be_focused()

    def test_only_the_last_question_counts(self):
        page.keyboard.press("Control+k")
        before = len(stage.asked)
        with page.expect_response(re.compile(r"/workspace/search\?.*query=cities")):
            # All letters at once: however slow the machine is, no pause is between them.
            self.field().evaluate("""(field) => {
                const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
                for (let end = 1; end <= "revenue".length; end += 1) {
                    set.call(field, "revenue".slice(0, end));
                    field.dispatchEvent(new InputEvent("input", { bubbles: true }));
                }
            }""")
            self.field().fill("cities")
        options = page.locator(".hit")
        expect(options).to_have_count(1)
        expect(options.first).to_contain_text("cities.csv")
        asked = [one for one in stage.asked[before:] if "/workspace/search?" in one]
        self.assertNotIn("query=re&", "".join(f"{one}&" for one in asked), "not after every key")
        options.first.click()
        expect(page.locator("h1")).to_have_text("cities.csv")

    def test_the_page_has_an_address_and_shows_all(self):
        page.goto(f"{platform.url}/search?q=many+parts")
        options = page.locator(".hit")
        expect(options).to_have_count(30)
        self.look("search-page")
        page.get_by_role("button", name="Show more").click()
        expect(options).to_have_count(35)
        page.get_by_role("button", name="Folders").click()
        expect(page.get_by_text("Nothing has “many parts”")).to_be_visible()
        self.assertIn("kind=DIRECTORY", page.url)
        self.field().fill("sales")
        expect(options).to_have_count(1)
        self.assertIn("q=sales", page.url)
        page.get_by_role("button", name="Everything").click()
        expect(options).to_have_count(2)
        expect(page.get_by_role("group", name="In cells and files")).to_contain_text("Sales by city")

    def test_jobs_clusters_and_runs_are_found(self):
        tasks = [{"task_key": "one", "notebook_task": {"notebook_path": "/Shared/sales/Revenue model"}, "existing_cluster_id": "none-yet"}]
        jobs = [platform.call("POST", "/api/v1/jobs", {"name": name, "tasks": tasks})["job_id"] for name in ("Nightly load", "load Zürich", "Upload")]
        cluster = platform.call("POST", "/api/v1/clusters", {"spec": {"cluster_name": "Quarterly report"}})["cluster_id"]
        # It only has to be there.
        platform.call("POST", f"/api/v1/clusters/{cluster}/terminate", {})
        run = platform.call("POST", f"/api/v1/jobs/{jobs[0]}/run-now", {})["run_id"]
        page.keyboard.press("Control+k")
        options = page.locator(".hit")
        self.field().fill("load")
        # Whole words before parts of them.
        expect(options.locator(".hit-name")).to_have_text(["load Zürich", "Nightly load", "Upload"])
        expect(page.get_by_role("group", name="Jobs, clusters and runs")).to_be_visible()
        expect(options.nth(2).locator("mark")).to_have_text("load")
        # Among entries of the workspace: what is named as well comes after them.
        self.field().fill("quarterly report")
        expect(options).to_have_count(2)
        expect(options.nth(0)).to_contain_text("/Shared/sales")
        expect(options.nth(1)).to_contain_text("Cluster")
        expect(page.get_by_role("status").filter(has_text="2 results")).to_have_count(1)
        self.look("search-things")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{platform.url}/clusters/{cluster}")
        # A run has a number; Enter is meant also when the answer is on its way.
        page.keyboard.press("Control+k")
        self.field().fill(f"run {run}")
        expect(options.first).to_contain_text("Nightly load")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(f"/runs/{run}$"))
        page.goto(f"{platform.url}/search?q=zürich&kind=NOTEBOOK")
        expect(page.get_by_text("Nothing has “zürich”")).to_be_visible()
        page.get_by_role("button", name="Everything").click()
        expect(options).to_have_count(1)
        # Where jobs cannot be asked for, the rest is there.
        page.route(re.compile(r"/api/v1/jobs\?"), lambda route: route.fulfill(
            status=503, content_type="application/json",
            body='{"error_code":"UNAVAILABLE","message":"The scheduler is away.","request_id":"r1"}'))
        page.goto(f"{platform.url}/search?q=quarterly+report")
        expect(options).to_have_count(2)
        expect(page.get_by_text("The scheduler is away.")).to_be_visible()
        page.unroute_all()

    def test_a_failure_is_said_and_tried_again(self):
        page.route(re.compile("/workspace/search"), lambda route: route.fulfill(
            status=503, content_type="application/json",
            body='{"error_code":"UNAVAILABLE","message":"The database is away.","request_id":"r1"}'), times=1)
        page.keyboard.press("Control+k")
        self.field().fill("cities")
        expect(page.get_by_text("The database is away.")).to_be_visible()
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".hit")).to_have_count(1)

    def test_more_is_shown_after_a_failure(self):
        """What was found before stays, and can be gone on with."""
        page.goto(f"{platform.url}/search?q=many+parts")
        options = page.locator(".hit")
        expect(options).to_have_count(30)
        page.route(re.compile("/workspace/search"), lambda route: route.fulfill(
            status=503, content_type="application/json",
            body='{"error_code":"UNAVAILABLE","message":"The database is away.","request_id":"r1"}'), times=1)
        self.field().fill("many part")
        expect(page.get_by_text("The database is away.")).to_be_visible()
        page.get_by_role("button", name="Show more").click()
        expect(options).to_have_count(35)
        expect(page.locator(".search .spinner")).to_have_count(0)

    def test_a_cell_that_is_gone_is_said(self):
        page.goto(f"{platform.url}/workspace/Shared/sales/Quarterly%20report#cell-gone")
        expect(page.get_by_text("is not in the notebook any more")).to_be_visible()


if __name__ == "__main__":
    unittest.main()
