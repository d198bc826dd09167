"""The web page in a real Chromium, on a platform of real processes.

HARBOUR_BINARIES  the folder of the built programs
HARBOUR_PAGE      the folder of the built page
HARBOUR_RUNTIME   the clusters' Python environment
HARBOUR_PICTURES  where screenshots of every page go, light and dark

One browser and one cluster serve all tests, which follow each other as a user's morning does.
"""

import base64
import json
import pathlib
import re
import time
import unittest

from harbour import PICTURES, Stage, dismiss, eventually, twice, write
from looks import look
from playwright.sync_api import expect

SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "deploy/samples"
BUDGET = 300 * 1024


def setUpModule():
    global stage, platform, browser, context, page, axe, cluster
    cluster = None
    stage = Stage(seconds=120)
    platform, browser, axe, context = stage.platform, stage.browser, stage.axe, stage.new_context(reduced_motion="no-preference")
    for name, form, language in (("01_ingest.ipynb", "JUPYTER", None), ("02_report.py", "SOURCE", "python")):
        content = base64.b64encode((SAMPLES / name).read_bytes()).decode()
        body = {"path": f"/Shared/samples/{name.split('.')[0]}", "content": content, "format": form}
        if language:
            body["language"] = language
        if name.startswith("01"):
            platform.call("POST", "/api/v1/workspace/mkdirs", {"path": "/Shared/samples"})
        platform.call("POST", "/api/v1/workspace/import", body)
    page = stage.new_page(context)


def sample_tasks():
    return [
        {"task_key": "ingest", "existing_cluster_id": cluster,
         "notebook_task": {"notebook_path": "/Shared/samples/01_ingest"}},
        {"task_key": "report", "existing_cluster_id": cluster, "depends_on": [{"task_key": "ingest"}],
         "notebook_task": {"notebook_path": "/Shared/samples/02_report"}},
    ]


def heading(text):
    expect(page.locator("h1")).to_have_text(text)


class PageTests(unittest.TestCase):
    def setUp(self):
        stage.said.clear()
        self.began = time.monotonic()

    def tearDown(self):
        print(f"\n  {self._testMethodName} {time.monotonic() - self.began:.1f} s", end=" ")
        if self._outcome.result.failures or self._outcome.result.errors:
            page.screenshot(path=PICTURES / f"failed-{self._testMethodName}.png")
        self.assertEqual(stage.said, [])

    def look(self, name):
        look(self, page, axe, PICTURES / name)

    def test_01_sign_in(self):
        page.goto(platform.url + "/runs?active=true")
        field = page.get_by_label("Sign-in token")
        expect(field).to_be_visible()
        self.look("sign-in")
        field.fill("not the token")
        field.press("Enter")
        expect(page.get_by_text("This token is not valid.")).to_be_visible()
        field.fill(platform.token)
        field.press("Enter")
        # Where the address leads is where the user comes out.
        heading("Runs")
        expect(page.get_by_text("Nothing is under way")).to_be_visible()
        kept = page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")
        self.assertNotIn(platform.token, kept)
        self.assertEqual(page.evaluate("document.cookie"), "")

    def test_02_first_paint_and_size(self):
        """Cold, the quickest of several: other programs may have the processor in one of them."""
        paints, end = [], time.monotonic() + 300
        while min(paints, default=1000) >= 1000 and (len(paints) < 3 or time.monotonic() < end):
            paint, size = self.open_cold()
            paints.append(paint)
        print(f"\n  first paint after {min(paints):.0f} ms, {size / 1024:.1f} KiB over the wire")
        self.assertLess(min(paints), 1000)
        self.assertLess(size, BUDGET)

    def open_cold(self):
        """When home is first painted, in milliseconds, and the bytes of its files."""
        cold = stage.new_context(storage_state=context.storage_state())
        try:
            one = cold.new_page()
            one.goto(platform.url)
            expect(one.locator("h1")).to_have_text("Home")
            # All have just been started: none that is about to listen may be called down.
            expect(one.locator(".tile", has_text="Services up")).to_contain_text("of 4 watched")
            expect(one.locator(".list .badge", has_text="Down")).to_have_count(0)
            # The page's policy refuses code in strings, so nothing can be waited for from outside.
            paint = one.evaluate(
                "new Promise((resolve) => new PerformanceObserver((list) => {"
                "    const first = list.getEntriesByName('first-contentful-paint')[0];"
                "    if (first) resolve(first.startTime);"
                "}).observe({ type: 'paint', buffered: true }))")
            size = one.evaluate(
                "performance.getEntriesByType('resource').filter((one) => /assets/.test(one.name))"
                ".reduce((sum, one) => sum + one.encodedBodySize, 0)"
            )
            return paint, size
        finally:
            cold.close()

    def test_03_cluster(self):
        global cluster
        page.goto(platform.url + "/clusters")
        expect(page.get_by_text("There is no cluster yet")).to_be_visible()
        page.get_by_role("button", name="New cluster").first.click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Name").fill("browser")
        dialog.get_by_label("Memory in MiB").fill("1")
        create = dialog.get_by_role("button", name="Create and start")
        expect(create).to_be_disabled()
        # What the form knows itself it says itself, in its own words.
        expect(dialog.locator(".problem")).to_have_text("At least 512 MiB.")
        self.look("cluster-form")
        dialog.get_by_label("Memory in MiB").fill("600.5")
        expect(dialog.locator(".problem")).to_have_text("Write a whole number.")
        dialog.get_by_label("Ends after minutes").fill("10001")
        expect(dialog.locator(".problem").last).to_have_text("At most 10,000 minutes.")
        dialog.get_by_label("Ends after minutes").fill("60")
        dialog.get_by_label("Memory in MiB").fill("")
        expect(create).to_be_enabled()
        dialog.get_by_label("Spark properties").fill("nonsense 1")
        expect(dialog.locator(".problem")).to_have_text("nonsense is no property of Spark's: these begin with spark.")
        expect(create).to_be_disabled()
        dialog.get_by_label("Spark properties").fill("")
        create.click()
        heading("browser")
        cluster = page.url.rsplit("/", 1)[1]
        self.look("cluster-starting")

    def test_04_tree(self):
        page.goto(platform.url + "/workspace")
        page.get_by_role("link", name="Shared").click()
        heading("Shared")
        page.get_by_role("link", name="samples").click()
        expect(page.get_by_role("link", name="02_report")).to_be_visible()
        self.look("tree")
        page.get_by_role("button", name="New folder").click()
        dialog = page.get_by_role("dialog")
        for wrong, problem in (("02_report", "is there already"), ("a//b", "empty")):
            dialog.get_by_label("Name").fill(wrong)
            dialog.get_by_role("button", name="Create").click()
            expect(dialog.locator(".problem")).to_contain_text(problem)
        dialog.get_by_role("button", name="Cancel").click()
        page.set_input_files("input[type=file]", files=[
            {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"first line\nsecond line\n"}])
        page.locator(".table").get_by_role("link", name="notes.txt").click()
        expect(page.get_by_text("second line")).to_be_visible()
        # The notice of the upload goes by itself.
        expect(page.locator(".uploads")).to_have_count(0)
        self.look("file")

    def test_05_sample_on_spark(self):
        """The sample's notebook run as it is, on Spark, with its table and its plot."""
        address = f"/api/v1/clusters/{cluster}"
        eventually("the cluster runs", lambda: platform.call("GET", address)["state"] == "RUNNING")
        page.goto(f"{platform.url}/clusters/{cluster}")
        expect(page.get_by_text("Ready after")).to_be_visible()
        self.look("cluster")
        run = platform.call("POST", "/api/v1/runs/submit", {
            "run_name": "Flights",
            "parameters": {"source_dir": str(SAMPLES / "data"), "data_dir": str(platform.folder)},
            "tasks": sample_tasks(),
        })["run_id"]
        page.goto(f"{platform.url}/runs/{run}")
        heading("Flights")
        self.look("run-live")
        expect(page.locator(".heading .badge")).to_have_text("Success", timeout=300_000)
        page.get_by_role("button", name="report").click()
        expect(page.locator("td", has_text="Delta Air Lines Inc.")).to_be_visible()
        expect(page.locator(".picture img")).to_be_visible()
        self.look("run")
        self.times_of_a_run(run)
        page.get_by_role("button", name="report").click()
        page.get_by_role("button", name="airline").click()
        expect(page.locator(".data-table tbody tr").first).to_contain_text("American Airlines")
        page.get_by_placeholder("Filter").first.fill("jet")
        expect(page.locator(".data-table tbody tr")).to_have_count(2)
        with page.expect_download() as download:
            page.get_by_role("button", name="CSV").click()
        self.assertIn("JetBlue Airways,1107", pathlib.Path(download.value.path()).read_text())

    def times_of_a_run(self, run):
        """What made it, and how long it took, or has been running for."""
        head = page.locator(".heading")
        expect(head).to_contain_text("took")
        expect(head).to_contain_text("submitted without a job")

        address = f"/api/v1/runs/{run}"
        body = {**platform.call("GET", address), "state": {"life_cycle_state": "RUNNING", "state_message": ""}}
        del body["end_time"]
        page.route(f"**{address}", lambda route: route.fulfill(json=body))
        page.reload()
        expect(head).to_contain_text("running for")
        expect(head).not_to_contain_text("took")
        page.unroute(f"**{address}")
        page.reload()
        expect(head).to_contain_text("took")

    def test_06_notebook(self):
        page.goto(platform.url + "/workspace/Shared")
        page.get_by_role("button", name="New notebook").first.click()
        name = page.get_by_role("dialog").get_by_label("Name")
        name.fill("mine")
        name.press("Enter")
        heading("mine")
        write(page, 1, 'print("hello", 6 * 7)')
        page.keyboard.press("Control+Enter")
        # Only one can be meant: Enter takes it.
        expect(page.get_by_role("button", name="Attach to browser")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator(".cell").nth(0).get_by_text("hello 42")).to_be_visible()
        page.keyboard.press("Alt+Enter")
        write(page, 2, "SELECT id, id * id AS square FROM range(3)")
        language = page.get_by_label("Language of cell 2")
        language.focus()
        language.select_option("sql")
        page.get_by_label("Run cell 2").click()
        expect(page.locator(".cell").nth(1).locator("td", has_text="4")).to_be_visible()
        expect(page.get_by_text("Saved", exact=True)).to_be_visible()
        self.look("notebook")
        page.reload()
        expect(page.locator(".cell").nth(0).get_by_text("hello 42")).to_be_visible()
        expect(page.locator(".cell").nth(1).locator("td", has_text="4")).to_be_visible()

    def test_07_html_is_kept_apart(self):
        """What a cell shows runs in an origin of its own, without the page, the session or the network."""
        write(page, 1, "\n".join([
            "displayHTML('''<b id=\"out\">none</b><script>",
            "let seen = [];",
            "try { parent.document.title; seen.push('page'); } catch { seen.push('no page'); }",
            "try { document.cookie; seen.push('cookie'); } catch { seen.push('no cookie'); }",
            "fetch('/api/v1/me').then(() => seen.push('network'), () => seen.push('no network'))",
            "  .then(() => { document.getElementById('out').textContent = seen.join(', '); });",
            "</script>''')"]))
        page.keyboard.press("Control+Enter")
        shown = page.locator(".cell").nth(0).frame_locator("iframe").locator("#out")
        expect(shown).to_have_text("no page, no cookie, no network")
        # The refusal that was wanted is told by the browser.
        stage.said.clear()

    def test_08_a_closed_tab_loses_nothing(self):
        """The tab is closed in the middle of a cell, and the workspace is killed; all lines are there, in order."""
        global page
        address = page.url
        write(page, 1, "import time\nfor i in range(40):\n    print('line', i, flush=True)\n    time.sleep(0.15)")
        page.keyboard.press("Control+Enter")
        expect(page.locator(".cell").nth(0).get_by_text("line 2")).to_be_visible()
        page.close(run_before_unload=False)
        page = stage.new_page(context)
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        page.goto(address)
        output = page.locator(".cell").nth(0).locator(".text-output")
        expect(output).to_contain_text("line 5")
        platform.kill("workspace")
        expect(output).to_contain_text("line 39")
        lines = output.inner_text().split("\n")
        self.assertEqual([line for line in lines if line], [f"line {i}" for i in range(40)])
        expect(page.get_by_text("Saved", exact=True)).to_be_visible()

        def answers():
            try:
                return platform.call("GET", "/api/v1/me")
            except (OSError, RuntimeError):
                return None

        eventually("the workspace is back", answers)
        stage.said.clear()

    def test_09_nobody_is_overwritten(self):
        path = "/Shared/mine"
        # Both change one cell while they cannot see each other's changes: otherwise these would come together by themselves.
        context.set_offline(True)
        page.evaluate("dispatchEvent(new Event('offline'))")
        write(page, 1, "mine = 2")
        info = platform.call("GET", f"/api/v1/workspace/get-status?path={path}")
        theirs = platform.call("GET", f"/api/v1/notebooks/{info['object_id']}")["document"]
        theirs["cells"][0]["source"] = "theirs = 1"
        saved = platform.call("POST", "/api/v1/workspace/import", {
            "path": path, "content": base64.b64encode(json.dumps(theirs).encode()).decode(), "format": "JUPYTER",
            "overwrite": True, "expected_revision_id": info["revision_id"]})
        context.set_offline(False)
        page.evaluate("dispatchEvent(new Event('online'))")
        expect(page.get_by_role("dialog")).to_contain_text("Somebody else has saved this notebook")
        expect(page.get_by_role("dialog")).to_contain_text("theirs = 1")
        self.look("conflict")
        page.get_by_role("button", name="Save mine on top").click()
        expect(page.get_by_text("Saved", exact=True)).to_be_visible()
        revisions = platform.call("GET", f"/api/v1/notebooks/{info['object_id']}/revisions")["revisions"]
        self.assertIn(saved["revision_id"], [one["revision_id"] for one in revisions[1:]])
        page.get_by_role("button", name="More").click()
        page.get_by_role("menuitem", name="Revisions").click()
        page.get_by_role("dialog").locator(".revision").nth(1).click()
        expect(page.get_by_role("dialog")).to_contain_text("theirs = 1")
        self.look("revisions")
        page.keyboard.press("Escape")

    def test_10_keyboard(self):
        count = page.locator(".cell").count()
        page.locator(".cell").nth(0).focus()
        page.keyboard.press("b")
        expect(page.locator(".cell")).to_have_count(count + 1)
        page.keyboard.press("m")
        expect(page.locator(".cell").nth(1)).to_have_class(re.compile("markdown"))
        twice(page, "d")
        expect(page.locator(".cell")).to_have_count(count)
        page.keyboard.press("z")
        expect(page.locator(".cell")).to_have_count(count + 1)
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_contain_text("restart the kernel")
        page.keyboard.press("Escape")
        self.cells_are_moved_by_keys()
        self.the_menu_goes_by_keys()

    def sources(self):
        return page.locator(".cell .cell-source, .cell .cell-markdown").all_inner_texts()

    def shows(self, wanted):
        eventually(f"the cells are {wanted}", lambda: self.sources() == wanted)

    def cells_are_moved_by_keys(self):
        before = self.sources()
        first, second = before[0], before[1:]
        page.locator(".cell").nth(0).focus()
        page.keyboard.press("x")
        expect(page.locator(".cell")).to_have_count(len(before) - 1)
        page.keyboard.press("v")
        expect(page.locator(".cell")).to_have_count(len(before))
        self.shows([second[0], first, *second[1:]])
        page.keyboard.press("z")
        page.keyboard.press("z")
        self.shows(before)
        page.keyboard.press("Z")
        expect(page.locator(".cell")).to_have_count(len(before) - 1)
        page.keyboard.press("z")
        # A cell and its copy become one, and two again.
        page.locator(".cell").nth(0).focus()
        page.keyboard.press("c")
        page.keyboard.press("v")
        page.locator(".cell").nth(0).focus()
        page.keyboard.press("M")
        expect(page.locator(".cell")).to_have_count(len(before))
        eventually("two cells are one", lambda: self.sources()[0] == f"{first}\n{first}")
        for _ in range(2):
            page.keyboard.press("z")
        self.shows(before)
        # Undo beside the message is for that cell, also after others were changed.
        dismiss(page)
        page.locator(".cell").nth(0).focus()
        twice(page, "d")
        page.keyboard.press("a")
        page.locator(".toast").get_by_role("button", name="Undo").click()
        expect(page.locator(".cell")).to_have_count(len(before) + 1)
        self.assertEqual([text for text in self.sources() if text.strip()], [text for text in before if text.strip()])
        page.keyboard.press("Escape")
        page.locator(".cell").nth(0).focus()
        for _ in range(3):
            page.keyboard.press("z")
        self.shows(before)

    def the_menu_goes_by_keys(self):
        button = page.get_by_role("button", name="More")
        button.focus()
        page.keyboard.press("ArrowDown")
        self.look("notebook-menu")
        item = page.get_by_role("menuitem", name="Restart the kernel")
        page.keyboard.press("r")
        page.keyboard.press("r")
        expect(item).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("menu")).to_have_count(0)
        expect(button).to_be_focused()
        # What cannot be taken back is asked about.
        page.locator(".cell").nth(0).focus()
        twice(page, "0")
        expect(page.get_by_role("dialog")).to_contain_text("Restart the kernel?")
        self.look("notebook-restart")
        page.get_by_role("dialog").get_by_role("button", name="Restart", exact=True).click()
        expect(page.get_by_text("The kernel was restarted")).to_be_visible()
        # Below before above: whoever runs it from the top may see something else.
        page.get_by_label("Run cell 3").click()
        expect(page.locator(".cell").nth(2).locator(".cell-count")).to_have_text("1")
        page.get_by_label("Run cell 1").click()
        # What still waits when a kernel is restarted runs in the next one, and is counted there.
        expect(page.locator(".cell").nth(0).locator(".cell-count")).to_have_text("2")
        page.get_by_role("button", name="Ran in another order").click()
        page.get_by_role("dialog").get_by_role("button", name="Restart and run all").click()
        expect(page.locator(".cell").nth(2).locator(".cell-count")).to_have_text("2", timeout=120_000)
        expect(page.get_by_role("button", name="Ran in another order")).to_have_count(0)
        # What it has put out is not written yet while it says that it runs.
        expect(page.get_by_role("button", name="Run all", exact=True)).to_be_visible()
        page.get_by_role("button", name="More").click()
        page.get_by_role("menuitem", name="Clear all outputs").click()
        expect(page.locator(".outputs")).to_have_count(0)
        expect(page.get_by_text("Saved", exact=True)).to_be_visible()
        page.reload()
        expect(page.locator(".cell").first).to_be_visible()
        expect(page.locator(".outputs")).to_have_count(0)

    def test_11_other_pages(self):
        job = platform.call("POST", "/api/v1/jobs", {
            "name": "Nightly report",
            "schedule": {"quartz_cron_expression": "0 0 6 * * ?", "timezone_id": "Europe/Berlin"},
            "tasks": sample_tasks()})["job_id"]
        for address, title, name in (
            ("/", "Home", "home"), ("/runs", "Runs", "runs"), ("/jobs", "Jobs", "jobs"),
            (f"/jobs/{job}", "Nightly report", "job"), ("/clusters", "Clusters", "clusters"),
            ("/monitoring", "Monitoring", "monitoring"), (f"/clusters/{cluster}?tab=logs", "browser", "cluster-logs"),
            (f"/clusters/{cluster}?tab=events", "browser", "cluster-events"),
            (f"/clusters/{cluster}?tab=metrics", "browser", "cluster-metrics"),
            ("/workspace/Shared/none", "none", "not-there"), ("/nowhere/at/all", "Nothing is here", "nowhere"),
            ("/runs?name=flights&state=SUCCESS", "Runs", "runs-asked"),
        ):
            page.goto(platform.url + address)
            heading(title)
            expect(page.locator(".skeleton")).to_have_count(0)
            if name == "home":
                expect(page.get_by_role("heading", name="Runs of the last 7 days")).to_be_visible()
                expect(page.locator(".trend svg")).to_have_attribute("aria-label", re.compile(r": \d+ succeeded"))
            if name == "monitoring":
                # A driver goes by the name of its cluster, in the list and in the charts.
                expect(page.locator(".list li", has_text="driver")).to_contain_text("of browser")
                expect(page.locator(".lines", has_text="browser").first).to_be_visible()
            if name == "cluster-events":
                events = page.get_by_role("region", name="Events")
                expect(events).to_contain_text(re.compile(r"is ready after [\d.]+ (s|min)"))
                expect(events).to_contain_text("Altogether: ")
                expect(events).not_to_contain_text("_ms=")
            if name == "cluster-metrics":
                memory = page.get_by_role("img", name=re.compile("^Memory of the driver"))
                expect(memory).to_have_attribute("aria-label", re.compile(r"browser [\d.]+ MiB|browser [\d.]+ GiB"))
            self.look(name)
        expect(page.locator(".table tbody tr")).to_have_count(1)
        page.get_by_label("State").select_option("FAILED")
        expect(page.get_by_text("None of these runs is asked for.")).to_be_visible()
        expect(page).to_have_url(re.compile("name=flights&state=FAILED$"))

    def test_12_offline(self):
        page.goto(platform.url)
        heading("Home")
        context.set_offline(True)
        page.evaluate("dispatchEvent(new Event('offline'))")
        expect(page.get_by_text("DataHarbour cannot be reached.")).to_be_visible()
        context.set_offline(False)
        page.evaluate("dispatchEvent(new Event('online'))")
        expect(page.get_by_text("DataHarbour cannot be reached.")).to_have_count(0)
        # A part of the page that was never loaded comes when the network is back. Another browser has none of it yet.
        other = stage.new_page(stage.new_context(storage_state=context.storage_state()))
        other.goto(platform.url)
        expect(other.locator("h1")).to_have_text("Home")
        other.context.set_offline(True)
        with other.expect_event("requestfailed", lambda request: "/assets/" in request.url):
            other.get_by_role("link", name="Monitoring").first.click()
        expect(other.get_by_text("DataHarbour cannot be reached.")).to_be_visible()
        other.context.set_offline(False)
        other.evaluate("dispatchEvent(new Event('online'))")
        expect(other.locator("h1")).to_have_text("Monitoring")
        other.context.close()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Sign-in token")).to_be_visible()


if __name__ == "__main__":
    unittest.main(failfast=True)
