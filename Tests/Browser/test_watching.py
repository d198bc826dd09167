"""What is watched in a real Chromium: services that start. The settings are those of test_page.py."""

import unittest

from harbour import PICTURES, Stage
from looks import look
from playwright.sync_api import expect


def setUpModule():
    global stage, platform, page
    stage = Stage()
    platform, page = stage.platform, stage.new_page()
    stage.sign_in(page, "/")


class WatchingTests(unittest.TestCase):
    def setUp(self):
        stage.said.clear()

    def tearDown(self):
        if self._outcome.result.failures or self._outcome.result.errors:
            page.screenshot(path=PICTURES / f"failed-{self._testMethodName}.png")
        self.assertEqual(stage.said, [])

    def look(self, name):
        look(self, page, stage.axe, PICTURES / name)

    def test_services_that_start(self):
        """What has not answered yet is starting, not down, and is looked at again soon."""
        starting = 2

        def some_start(route):
            answer = route.fetch()
            body = answer.json()
            for target in body["targets"][:starting]:
                target["health"] = "UNKNOWN"
            route.fulfill(response=answer, json=body)

        page.route("**/api/v1/monitoring/services", some_start)
        page.goto(platform.url)
        tile = page.locator(".tile", has_text="Services up")
        expect(tile).to_contain_text("watched, 2 starting")
        badges = page.locator(".list .badge", has_text="Starting")
        expect(badges).to_have_count(2)
        self.look("home-starting")
        starting = 0
        expect(tile).not_to_contain_text("starting")
        expect(badges).to_have_count(0)
        page.unroute("**/api/v1/monitoring/services")


if __name__ == "__main__":
    unittest.main(failfast=True)
