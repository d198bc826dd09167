"""A job in a real Chromium: built of notebooks, run, failed, repaired with another parameter. The settings are those of test_page.py."""

import base64
import datetime
import re
import unittest
import zoneinfo

from harbour import PICTURES, Stage, dismiss, eventually
from looks import look
from playwright.sync_api import expect

COUNT = "dbutils.jobs.taskValues.set('rows', 6)\nprint('counted')\n"
SHARE = (
    "parts = int(dbutils.widgets.get('parts'))\n"
    "rows = int(dbutils.widgets.get('rows'))\n"
    "print('each has', rows // parts)\n"
)


def setUpModule():
    global stage, platform, page
    stage = Stage(seconds=120, cluster="lab")
    platform, page = stage.platform, stage.new_page(stage.new_context(permissions=["clipboard-read", "clipboard-write"]))
    platform.call("POST", "/api/v1/workspace/mkdirs", {"path": "/Shared/daily"})
    for name, text in (("count", COUNT), ("share", SHARE)):
        platform.call("POST", "/api/v1/workspace/import", {
            "path": f"/Shared/daily/{name}", "content": base64.b64encode(text.encode()).decode(),
            "format": "SOURCE", "language": "python"})
    stage.sign_in(page, "/jobs")


def task(name):
    """A task in the graph."""
    return page.locator(f'.node[data-task="{name}"]')


def standing(text):
    """What the editor says of the whole job."""
    expect(page.locator(".heading [role=status]")).to_contain_text(text)


def drag(start, end):
    """Drags from the middle of a task onto another."""
    places = [task(name).bounding_box() for name in (start, end)]
    (x, y), (to_x, to_y) = [(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2) for place in places]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move((x + to_x) / 2, (y + to_y) / 2 + 5, steps=3)
    page.mouse.move(to_x, to_y, steps=3)
    page.mouse.up()


class JobTests(unittest.TestCase):
    def setUp(self):
        stage.said.clear()

    def tearDown(self):
        if self._outcome.result.failures or self._outcome.result.errors:
            page.screenshot(path=PICTURES / f"failed-{self._testMethodName}.png", full_page=True)
        self.assertEqual(stage.said, [])

    def look(self, name):
        look(self, page, stage.axe, PICTURES / name)

    def add(self, name):
        """Adds a task for a notebook that is chosen from the tree; it gets the notebook's name."""
        page.get_by_role("button", name="Add a task").click()
        page.get_by_role("button", name="Choose the notebook").click()
        chooser = page.get_by_role("dialog")
        if name == "count":
            chooser.get_by_role("button", name="daily").click()
        # From then on it opens in that folder.
        chooser.get_by_role("button", name=re.compile(f"^{name}")).click()
        expect(task(name)).to_have_attribute("aria-pressed", "true")
        page.get_by_label("Cluster", exact=True).select_option(label="lab")

    def test_1_build(self):
        page.get_by_role("link", name="Build one").click()
        standing("Add the first task.")
        self.look("job-new")
        page.get_by_label("Name of the job").fill("daily")
        self.add("count")
        page.get_by_role("button", name="Add a task").click()
        # Nothing is saved that is not whole; what is missing is said at its field.
        page.get_by_role("button", name="Create", exact=True).click()
        expect(page.locator(".field", has=page.get_by_label("Notebook", exact=True))).to_contain_text("Choose the notebook.")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Undo", exact=True).click()
        self.add("share")
        expect(task("share")).to_have_attribute("aria-label", re.compile("share, after count"))
        page.get_by_role("button", name="Add a parameter").click()
        page.keyboard.type("rows")
        page.keyboard.press("Tab")
        page.keyboard.type("{{tasks.count.values.lines}}")
        page.get_by_role("button", name="Add a job parameter").click()
        page.keyboard.type("parts")
        page.keyboard.press("Tab")
        page.keyboard.type("0")
        page.get_by_label("Value of rows").fill("{{tasks.count.values.rows}}")
        standing("Nothing is wrong with it.")

    def test_2_what_is_wrong(self):
        page.get_by_label("Value of rows").fill("{{tasks.nobody.values.rows}}")
        expect(page.locator(".note.bad")).to_contain_text("nobody is no task of this job")
        expect(task("share")).to_have_attribute("aria-label", re.compile("1 to correct"))
        page.get_by_label("Value of rows").fill("{{tasks.count.values.rows}}")
        standing("Nothing is wrong with it.")
        # A circle is told with its path, by drag as by checkbox, and is gone with one undo.
        drag("share", "count")
        expect(page.get_by_role("alert").first).to_contain_text("count ← share ← count")
        self.look("job-circle")
        task("count").focus()
        page.keyboard.press("Control+z")
        standing("Nothing is wrong with it.")
        page.get_by_label("Runs", exact=True).select_option(label="on a schedule")
        cron = page.get_by_label("Cron expression")
        cron.fill("0 0 25 * * ?")
        expect(page.locator(".job-part", has=cron)).to_contain_text("hour")
        standing("1 thing to correct.")
        cron.fill("0 30 7 ? * MON-FRI")
        expect(page.get_by_text("Every Monday to Friday at 07:30")).to_be_visible()
        page.get_by_label("Time zone").fill("Europe/Berlin")
        expect(page.locator(".fires li")).to_have_count(5)
        expect(page.locator(".fires li").first).to_contain_text("7:30")
        page.get_by_label("Paused").check()
        standing("Nothing is wrong with it.")

    def test_3_keyboard_and_what_is_kept(self):
        task("count").focus()
        page.keyboard.press("ArrowRight")
        expect(task("share")).to_be_focused()
        expect(task("share")).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("Delete")
        expect(task("share")).to_have_count(0)
        page.get_by_role("status").get_by_role("button", name="Undo").click()
        expect(task("share")).to_have_attribute("aria-label", re.compile("share, after count"))
        page.get_by_role("navigation", name="Areas").get_by_role("link", name="Clusters").click()
        expect(page.get_by_text("What you changed of daily is not saved yet.")).to_be_visible()
        page.get_by_role("button", name="Go back").click()
        expect(task("share")).to_be_visible()
        page.reload()
        expect(page.get_by_text("and did not save is here again")).to_be_visible()
        expect(page.get_by_label("Value of parts")).to_have_value("0")
        page.get_by_role("button", name="YAML").click()
        expect(page.get_by_label("The job as YAML")).to_contain_text("quartz_cron_expression: 0 30 7 ? * MON-FRI")
        page.get_by_role("button", name="Copy", exact=True).click()
        expect(page.get_by_text("Copied.")).to_be_visible()
        self.look("job-editor")
        file = platform.folder / "daily.yaml"
        file.write_text(page.evaluate("navigator.clipboard.readText()"))

        def lose(route):
            route.fetch()
            route.abort("connectionreset")

        # The job is made and nobody hears of it: asked for again, also after a reload, it is the same one.
        page.route(re.compile(r"/api/v1/jobs(\?.*)?$"), lose, times=1)
        page.get_by_role("button", name="Create", exact=True).click()
        expect(page.get_by_text("cannot be reached right now")).to_be_visible()
        page.reload()
        expect(page.get_by_text("and did not save is here again")).to_be_visible()
        page.get_by_role("button", name="Create", exact=True).click()
        expect(page.locator("h1")).to_have_text("daily")
        self.assertEqual(len(platform.call("GET", "/api/v1/jobs")["jobs"]), 1)
        # What the page shows as a file is the job for the command line, too.
        self.assertIn("as the file says", platform.harbour("jobs", "diff", str(file), "--exit-code"))
        self.assertEqual(page.evaluate("Object.keys(localStorage).filter((key) => key.includes('job-draft'))"), [])

    def test_4_run_fail_repair(self):
        page.get_by_role("button", name="Run now").first.click()
        page.get_by_role("status").get_by_role("button", name="Open").click()
        badge = page.locator(".heading-title .badge")
        expect(badge).to_have_text("Failed")
        # The failed task is looked at by itself, with its own line.
        failed = page.locator(".card", has_text="Task share")
        expect(failed).to_contain_text("ZeroDivisionError")
        # What has a name goes by it.
        expect(failed.get_by_role("link", name="lab")).to_have_attribute("title", stage.cluster)
        where = page.get_by_role("navigation", name="Where this is")
        expect(where.get_by_role("link", name="daily")).to_have_attribute("href", "/jobs/1")
        page.get_by_role("button", name="Repair").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("checkbox", name="share")).to_be_checked()
        dialog.get_by_label("Value of parts").fill("2")
        self.look("job-repair")
        dialog.get_by_role("button", name="Run again").click()
        expect(badge).to_have_text("Success")
        expect(page.locator(".card", has_text="Task share")).to_contain_text("each has 3")
        run = platform.call("GET", "/api/v1/runs?page_size=1")["runs"][0]
        self.assertEqual(run["parameters"]["parts"], "2")
        self.assertEqual([len(one["attempts"]) for one in run["tasks"]], [1, 2])
        # Each attempt has an address.
        page.get_by_label("Attempt").select_option(index=0)
        expect(page.locator(".card", has_text="Task share")).to_contain_text("ZeroDivisionError")
        page.reload()
        expect(page.locator(".card", has_text="Task share")).to_contain_text("ZeroDivisionError")
        page.get_by_label("Attempt").select_option(index=1)
        expect(page.locator(".card", has_text="Task share")).to_contain_text("each has 3")
        self.assertNotIn("attempt", page.url)

    def test_5_edit_and_run_with(self):
        page.goto(platform.url + "/jobs/1/edit?task=share")
        field = page.get_by_label("Name of the task")
        field.fill("divide")
        expect(task("divide")).to_have_attribute("aria-label", re.compile("divide, after count"))
        # Somebody else is quicker.
        settings = platform.call("GET", "/api/v1/jobs/1")["settings"]
        platform.call("PUT", "/api/v1/jobs/1", {**settings, "description": "theirs"})
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("Somebody has saved this job since you began")).to_be_visible()
        page.get_by_role("button", name="Save mine instead").click()
        expect(page.get_by_role("link", name=re.compile("divide, after count"))).to_be_visible()
        page.get_by_role("button", name="Run with").first.click()
        page.get_by_role("dialog").get_by_label("Value of parts").fill("3")
        self.look("job-run-with")
        page.get_by_role("dialog").get_by_role("button", name="Run", exact=True).click()
        run = eventually("the run begins", lambda: next(iter(
            one for one in platform.call("GET", "/api/v1/runs?page_size=1")["runs"] if one["run_id"] != 1), None))
        self.assertEqual(run["parameters"]["parts"], "3")
        self.assertEqual([one["task_key"] for one in run["tasks"]], ["count", "divide"])
        # The runs of a task that was renamed stay to be seen.
        matrix = page.get_by_role("region", name="Runs by task")
        for name, number in (("share not in the job now", 1), ("divide", run["run_id"])):
            expect(matrix.get_by_role("row", name=re.compile(f"^{name}")).get_by_role(
                "link", name=re.compile(f"^Run {number}, "))).to_be_visible()
        table = page.get_by_role("region", name="Tasks", exact=True)
        expect(table.get_by_role("link", name="lab").first).to_have_attribute("title", stage.cluster)
        self.look("job")

    def test_5a_the_next_time_is_that_of_its_zone(self):
        """On one clock, whose zone is named once; whoever is elsewhere reads their own time beside it."""
        zone, elsewhere = "Asia/Kolkata", "America/New_York"
        day = datetime.datetime.now(zoneinfo.ZoneInfo(zone)) + datetime.timedelta(days=2)
        job = platform.call("POST", "/api/v1/jobs", {
            "name": "far away", "schedule": {"quartz_cron_expression": f"0 30 6 {day.day} {day.month} ?", "timezone_id": zone},
            "tasks": [{"task_key": "count", "existing_cluster_id": stage.cluster,
                       "notebook_task": {"notebook_path": "/Shared/daily/count"}}]})["job_id"]
        fire = eventually("it has a next time", lambda: platform.call("GET", f"/api/v1/jobs/{job}").get("next_fire_time"))

        def said(name):
            time = datetime.datetime.fromtimestamp(fire / 1000, zoneinfo.ZoneInfo(name))
            is_this_year = time.year == datetime.datetime.now(zoneinfo.ZoneInfo(name)).year
            return time.strftime("%b %-d, %H:%M" if is_this_year else "%b %-d, %Y, %H:%M")

        self.assertIn("06:30", said(zone))
        for place in (elsewhere, zone):
            context = stage.new_context(timezone_id=place, storage_state=page.context.storage_state())
            other = stage.new_page(context)
            for address, within in (("/jobs", "tr"), (f"/jobs/{job}", "header")):
                other.goto(platform.url + address)
                shown = other.locator(within, has_text="far away")
                expect(shown.locator("time").last).to_have_text(said(zone))
                expect(shown.get_by_text(zone)).to_have_count(1)
                expect(shown.get_by_text(f"({said(elsewhere)} your time)")).to_have_count(0 if place == zone else 1)
            context.close()

    def test_6_every_kind(self):
        """Each kind of task has a form or is JSON; what is no task stays in its field and breaks nothing."""
        page.goto(platform.url + "/jobs/new?notebook=/Shared/daily/count")
        expect(task("count")).to_be_visible()
        kind = page.get_by_label("Kind")
        for value in kind.locator("option").evaluate_all("(all) => all.map((one) => one.value)"):
            kind.select_option(value)
            expect(page.get_by_label("Cluster", exact=True)).to_have_count(
                0 if value in ("condition_task", "for_each_task", "run_job_task", "webhook_task", "airflow_task") else 1)
        page.get_by_role("tab", name="JSON").click()
        expect(page.get_by_label("The task as JSON")).to_have_value(re.compile(value))
        page.get_by_role("tab", name="Form").click()
        kind.select_option("for_each_task")
        standing("Nothing is wrong with it.")
        field = page.get_by_label("For each as JSON")
        whole = field.input_value()
        for text, said in (("{", "This is no JSON"), ("[]", "An object is wanted"), ('{"inputs": "[]"}', "nested task"),
                           (whole.replace('"inputs"', '"imports"'), "inputs"),
                           (whole.replace('"each"', '"e a c h"'), "must match")):
            field.fill(text)
            expect(page.locator(".field", has=field).locator(".problem")).to_contain_text(said)
        field.fill(whole)
        standing("Nothing is wrong with it.")
        self.look("job-kind")

    def test_7_deleted_and_back(self):
        """Nobody is asked, and Undo brings the very job: its settings, its permissions, its runs, and the keyboard."""
        platform.call("PATCH", "/api/v1/permissions/jobs/1", {
            "access_control_list": [{"group_name": "users", "permission_level": "CAN_VIEW"}]})
        job = platform.call("GET", "/api/v1/jobs/1")
        permissions = platform.call("GET", "/api/v1/permissions/jobs/1")
        runs = [one["run_id"] for one in platform.call("GET", "/api/v1/runs?job_id=1")["runs"]]
        undo = page.get_by_role("status").get_by_role("button", name="Undo")

        def is_back():
            again = platform.call("GET", "/api/v1/jobs/1")
            # Its runs end meanwhile.
            passing = {"updated_time": 0, "active_runs": 0}
            self.assertEqual({**again, **passing}, {**job, **passing})
            self.assertEqual(platform.call("GET", "/api/v1/permissions/jobs/1"), permissions)
            self.assertEqual([one["run_id"] for one in platform.call("GET", "/api/v1/runs?job_id=1")["runs"]], runs)

        page.goto(platform.url + "/jobs")
        row = page.get_by_role("row", name=re.compile("^daily "))
        self.look("jobs-list")
        row.get_by_role("button", name="Delete daily").click()
        expect(page.get_by_role("status").get_by_text("The job daily was deleted.")).to_be_visible()
        # A notice stays for as long as somebody is at it.
        undo.hover()
        expect(row).to_have_count(0)
        expect(page.locator("#content")).to_be_focused()
        with self.assertRaisesRegex(RuntimeError, "404"):
            platform.call("GET", "/api/v1/jobs/1")
        undo.focus()
        self.look("job-deleted")
        undo.click()
        expect(row.get_by_role("link", name="daily")).to_be_focused()
        is_back()
        # From its own page, by the keyboard alone.
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("daily")
        page.get_by_role("button", name="More", exact=True).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("menuitem", name="Delete")).to_be_focused()
        self.look("job-menu")
        page.keyboard.press("Enter")
        undo.hover()
        expect(page).to_have_url(platform.url + "/jobs")
        expect(row).to_have_count(0)
        undo.focus()
        page.keyboard.press("Enter")
        expect(page).to_have_url(platform.url + "/jobs/1")
        expect(page.get_by_role("link", name=re.compile("divide, after count"))).to_be_visible()
        is_back()
        # The command line says how, and does it.
        self.assertIn("harbour jobs restore 1", platform.harbour("jobs", "delete", "daily"))
        self.assertIn("daily, is back", platform.harbour("jobs", "restore", "1"))
        is_back()

    def test_8_list_of_deleted_jobs(self):
        """What was deleted is found when its notice is gone: who deleted it, how long it stays, and the way back."""
        page.goto(platform.url + "/jobs")
        page.get_by_role("link", name="Deleted jobs").click()
        expect(page.locator("h1")).to_have_text("Deleted jobs")
        expect(page.get_by_text("There is no deleted job")).to_be_visible()
        self.look("jobs-deleted-none")
        platform.call("POST", "/api/v1/workspace/import", {
            "path": "/Shared/daily/long", "content": base64.b64encode(b"import time\ntime.sleep(3600)\n").decode(),
            "format": "SOURCE", "language": "python"})
        job = platform.call("POST", "/api/v1/jobs", {"name": "long", "max_concurrent_runs": 1, "tasks": [{
            "task_key": "long", "existing_cluster_id": stage.cluster,
            "notebook_task": {"notebook_path": "/Shared/daily/long"}}]})["job_id"]
        address = f"/api/v1/jobs/{job}"
        runs = [platform.call("POST", f"{address}/run-now", {})["run_id"] for _ in range(2)]
        # One runs, one waits for it.
        self.assertEqual(platform.call("GET", address)["active_runs"], 2)
        page.get_by_role("navigation", name="Areas").get_by_role("link", name="Jobs").click()
        row = page.get_by_role("row", name=re.compile("^long "))
        expect(row).to_contain_text("2 under way")
        self.look("jobs-under-way")
        row.get_by_role("button", name="Delete long").click()
        expect(page.get_by_role("status").get_by_text("Its 2 runs that are under way go on.")).to_be_visible()
        expect(row).to_have_count(0)
        dismiss(page)
        page.reload()
        page.get_by_role("link", name="Deleted jobs").click()
        for text in (f"Job {job} of admin, 2 runs under way", "by admin", "60 days"):
            expect(row).to_contain_text(text)
        self.look("jobs-deleted")
        # One stays beyond its time as long as a run of it is kept.
        def kept(route):
            answer = route.fetch()
            body = answer.json()
            body["jobs"][0]["forget_time"] = 1
            route.fulfill(response=answer, json=body)
        page.route("**/api/v1/jobs/deleted?*", kept)
        page.reload()
        expect(row).to_contain_text("Until its runs are gone")
        self.look("jobs-deleted-kept")
        page.unroute("**/api/v1/jobs/deleted?*")
        page.reload()
        expect(row).to_contain_text("60 days")
        # By the keyboard alone: the row goes, and the focus is not lost with it.
        row.get_by_role("button", name="Restore long").focus()
        page.keyboard.press("Enter")
        page.get_by_role("status").get_by_text("The job long is back.").hover()
        expect(row).to_have_count(0)
        expect(page.locator("#content")).to_be_focused()
        page.get_by_role("status").get_by_role("button", name="Open").click()
        expect(page.locator("h1")).to_have_text("long")
        self.assertEqual(platform.call("GET", "/api/v1/jobs/deleted")["jobs"], [])
        # The command line lists them too.
        platform.call("DELETE", address)
        self.assertRegex(platform.harbour("jobs", "list", "--deleted"), rf"(?m)^{job} +long .* admin ")
        for run in runs:
            platform.call("POST", f"/api/v1/runs/{run}/cancel")


if __name__ == "__main__":
    unittest.main(failfast=True)
