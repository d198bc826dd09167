"""The description of the API in a real Chromium: read, searched and tried."""

import re
import unittest

from harbour import PICTURES, Stage
from looks import look
from playwright.sync_api import expect


def setUpModule():
    global stage, platform, page
    stage = Stage()
    platform, page = stage.platform, stage.new_page()


def answer():
    return page.get_by_role("region", name="Answer")


class DocsTests(unittest.TestCase):
    def setUp(self):
        stage.said.clear()

    def tearDown(self):
        if self._outcome.result.failures or self._outcome.result.errors:
            page.screenshot(path=PICTURES / f"failed-{self._testMethodName}.png")
        self.assertEqual(stage.said, [])
        # Nothing is loaded from elsewhere.
        self.assertEqual([url for url in stage.asked if not url.startswith((platform.url, "blob:", "data:"))], [])

    def look(self, name):
        look(self, page, stage.axe, PICTURES / name)

    def test_1_all_operations_of_all_services(self):
        stage.sign_in(page, "/docs")
        expect(page.locator("h1")).to_have_text("API")
        shown = page.locator(".docs-list a")
        described = platform.call("GET", "/openapi.json")["paths"]
        expect(shown).to_have_count(sum(1 for item in described.values() for key in item if key != "parameters"))
        self.assertEqual([path for path in described if path.startswith("/internal/")], [])
        for path in ("/api/v1/jobs", "/api/v1/clusters", "/api/v1/monitoring/services", "/api/v1/workspace/list"):
            self.assertIn(path, described)
        self.look("docs")
        page.get_by_label("Search the operations").fill("secret scope")
        expect(shown).to_have_count(4)
        expect(page).to_have_url(re.compile(r"/docs\?q=secret"))

    def test_2_reads(self):
        page.goto(platform.url + "/docs/listObjects")
        expect(page.locator("h1")).to_have_text(re.compile("folder"))
        page.get_by_role("button", name="Send").click()
        # What is missing is said before anything is sent.
        expect(page.get_by_role("alert")).to_contain_text("Fill in path first.")
        page.get_by_label("path (required)").fill("/")
        page.get_by_label("path (required)").press("Enter")
        expect(answer()).to_contain_text("200")
        expect(page.get_by_label("Body of the answer")).to_contain_text('"path": "/Shared"')
        answer().get_by_role("tab", name=re.compile("Headers")).click()
        expect(answer()).to_contain_text("x-request-id")
        self.look("docs-get")
        page.get_by_label("path (required)").fill("nowhere")
        page.get_by_role("button", name="Send").click()
        expect(answer()).to_contain_text("400")
        expect(page.get_by_label("Body of the answer")).to_contain_text("INVALID_PARAMETER_VALUE")

    def test_3_changes(self):
        page.goto(platform.url + "/docs/makeDirectories")
        body = page.get_by_role("textbox", name="Body")
        expect(body).to_have_value(re.compile('"path"'))
        body.fill('{"path": "/Shared/made"')
        expect(page.get_by_text("This is no JSON")).to_be_visible()
        body.fill('{"path": "/Shared/made here"}')
        page.get_by_role("button", name="Send").click()
        expect(answer()).to_contain_text("200")
        self.look("docs-post")
        self.assertEqual(
            platform.call("GET", "/api/v1/workspace/get-status?path=/Shared/made%20here")["object_type"], "DIRECTORY")
        # An example of everything, and the fields one after the other.
        page.goto(platform.url + "/docs/createJob")
        page.get_by_role("button", name="everything").click()
        expect(body).to_have_value(re.compile('"quartz_cron_expression"'))
        page.locator(".docs-fields summary", has_text="tasks").first.click()
        expect(page.locator(".docs-name", has_text="task_key").first).to_be_visible()

    def test_4_follows_a_stream(self):
        notebook = platform.call("POST", "/api/v1/notebooks/", {"name": "streamed"})["object_id"]
        page.goto(platform.url + "/docs/streamNotebookEvents")
        page.get_by_label("notebook_id (required)").fill(str(notebook))
        page.get_by_role("button", name="Send").click()
        platform.call("POST", f"/api/v1/notebooks/{notebook}/cells", {"source": "1"})
        expect(page.get_by_label("Body of the answer")).to_contain_text("REVISION")
        expect(answer()).to_contain_text("goes on")
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_role("button", name="Send")).to_be_visible()

    def test_5_unknown(self):
        page.goto(platform.url + "/docs/noSuchThing")
        expect(page.get_by_text("There is no such operation")).to_be_visible()
        page.get_by_role("navigation", name="Where this is").get_by_role("link", name="API").click()
        expect(page.locator("h1")).to_have_text("API")


if __name__ == "__main__":
    unittest.main(failfast=True)
