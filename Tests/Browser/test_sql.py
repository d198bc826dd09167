"""The console of SQL in a real Chromium on real Spark: results, history, cancelling, a notebook made of it."""

import base64
import pathlib
import re
import unittest

from harbour import PICTURES, Stage, paste
from looks import look
from playwright.sync_api import expect

QUERY = (
    "SELECT id, id % 3 AS kind, concat('a;', id) AS name FROM range(40);\n"
    "-- how many\nSELECT count(*) AS n FROM range(1000)")


def setUpModule():
    global stage, platform, page
    stage = Stage(seconds=120, cluster="lab")
    platform, page = stage.platform, stage.new_page()


def write(text):
    """Puts a text into the editor in place of what is there, as by paste: typing would have brackets closed."""
    page.locator(".sql-editor .view-lines").click()
    page.keyboard.press("Control+a")
    paste(page, text)


class SqlTests(unittest.TestCase):
    def setUp(self):
        stage.said.clear()

    def tearDown(self):
        if self._outcome.result.failures or self._outcome.result.errors:
            page.screenshot(path=PICTURES / f"failed-{self._testMethodName}.png")
        self.assertEqual(stage.said, [])

    def look(self, name):
        look(self, page, stage.axe, PICTURES / name)

    def test_1_run_two_statements(self):
        stage.sign_in(page, "/sql")
        expect(page.get_by_text("Nothing has been run yet")).to_be_visible()
        self.look("sql-empty")
        # Tab writes in the editor; whoever has no mouse leaves it by Esc, to what follows.
        page.locator(".sql-editor .view-lines").click()
        page.keyboard.press("Escape")
        expect(page.locator(".sql-main > p")).to_be_focused()
        page.keyboard.press("Shift+Tab")
        self.assertTrue(page.evaluate("document.querySelector('.sql-editor').contains(document.activeElement)"))
        write(QUERY)
        page.get_by_role("button", name="Run", exact=True).click()
        # It is asked where, and runs as soon as that is known.
        page.get_by_role("button", name="Attach to lab").click()
        first, second = (page.get_by_role("region", name=f"Result {number}", exact=True) for number in (1, 2))
        expect(first).to_contain_text("40 rows")
        expect(second).to_contain_text("1000")
        expect(second).to_contain_text("Done")
        self.look("sql")

    def test_2_the_result_is_a_table(self):
        first = page.get_by_role("region", name="Result 1", exact=True)
        first.get_by_role("button", name="id", exact=True).click()
        first.get_by_role("button", name="id", exact=True).click()
        expect(first.locator("tbody tr").first).to_contain_text("39")
        first.get_by_placeholder("Filter").fill("a;12")
        expect(first.locator("tbody tr")).to_have_count(1)
        with page.expect_download() as saved:
            first.get_by_role("button", name="CSV").click()
        self.assertEqual(pathlib.Path(saved.value.path()).read_text(), "id,kind,name\n12,0,a;12\n")
        first.get_by_placeholder("Filter").fill("")
        first.get_by_role("button", name="Chart").click()
        expect(first.locator(".chart svg")).to_be_visible()

    def test_3_cancel(self):
        write("SELECT count(*) FROM range(100000000000) WHERE sqrt(id) < 0")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("region", name="Result").get_by_text("Runs", exact=True)).to_be_visible()
        page.get_by_role("button", name="Cancel", exact=True).click()
        expect(page.get_by_role("region", name="Result")).to_contain_text("Cancelled")
        expect(page.get_by_role("button", name="Cancel", exact=True)).to_have_count(0)

    def test_4_history_after_a_reload(self):
        page.reload()
        past = page.locator(".sql-history li")
        expect(past).to_have_count(3)
        expect(past.nth(1)).to_contain_text("SELECT count(*) AS n")
        past.nth(2).locator(".sql-past").click()
        # The result is the server's: nothing is run again.
        expect(page.get_by_role("region", name="Result", exact=True)).to_contain_text("40 rows")
        # And it has an address.
        page.reload()
        expect(page.get_by_role("region", name="Result", exact=True)).to_contain_text("40 rows")
        past.nth(1).get_by_role("button", name=re.compile("Put into the editor")).click()
        expect(page.locator(".sql-editor .view-lines")).to_contain_text("range(1000)")
        # Of several statements, the one that is selected.
        write("SELECT 1 AS one;\nSELECT nothing FROM nowhere")
        expect(page.locator(".sql-editor .view-line").nth(1).locator("span span").nth(1)).to_be_visible()
        page.keyboard.press("Shift+Home")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("region", name="Result", exact=True)).to_contain_text("TABLE_OR_VIEW_NOT_FOUND")
        expect(past).to_have_count(4)
        self.look("sql-failed")

    def test_5_save_as_a_notebook(self):
        write(QUERY)
        page.get_by_role("button", name="Save as notebook").click()
        page.get_by_role("dialog").get_by_label("Path").fill("/Shared/query.sql")
        page.get_by_role("dialog").get_by_role("button", name="Save").click()
        expect(page.get_by_text("Saved as /Shared/query.sql.")).to_be_visible()
        file = platform.call("GET", "/api/v1/workspace/export?path=/Shared/query.sql&format=AUTO")
        text = base64.b64decode(file["content"]).decode()
        self.assertEqual(file["file_type"], "sql")
        self.assertEqual(text.count("-- COMMAND ----------"), 1)
        self.assertIn("concat('a;', id)", text)
        page.get_by_role("button", name="Save as notebook").click()
        page.get_by_role("dialog").get_by_label("Path").fill("/Shared/query.sql")
        page.get_by_role("dialog").get_by_role("button", name="Save").click()
        expect(page.get_by_role("dialog")).to_contain_text("is there already")
        page.keyboard.press("Escape")


if __name__ == "__main__":
    unittest.main(failfast=True)
