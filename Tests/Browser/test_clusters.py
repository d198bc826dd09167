"""Clusters that are there, in real Chromium on real Spark: edited, resized, restarted, kept and deleted.

The settings are those of test_page.py.
"""

import unittest

from harbour import PICTURES, Stage, eventually
from looks import look
from playwright.sync_api import expect

SPEC = {
    "cluster_name": "lab", "num_workers": 1, "worker_cores": 1, "worker_memory_mb": 512, "autotermination_minutes": 30,
    "custom_tags": {"team": "data"}, "spark_conf": {"spark.driver.extraJavaOptions": "-Dquay=1 -Dpier=2"},
}


def setUpModule():
    global stage, platform, page, cluster, address
    stage = Stage(seconds=120)
    platform, page = stage.platform, stage.new_page()
    cluster = platform.call("POST", "/api/v1/clusters", {"spec": SPEC})["cluster_id"]
    address = f"/api/v1/clusters/{cluster}"
    stage.sign_in(page, f"/clusters/{cluster}")


class ClusterTests(unittest.TestCase):
    def setUp(self):
        stage.said.clear()

    def tearDown(self):
        if self._outcome.result.failures or self._outcome.result.errors:
            page.screenshot(path=PICTURES / f"failed-{self._testMethodName}.png")
        self.assertEqual(stage.said, [])

    def choose(self, item):
        page.get_by_role("button", name="More", exact=True).click()
        page.get_by_role("menuitem", name=item, exact=True).click()

    def runs(self):
        eventually("the cluster runs", lambda: platform.call("GET", address)["state"] == "RUNNING", 180)
        expect(page.locator(".heading .badge")).to_have_text("Running")
        return platform.call("GET", address)

    def test_1_resized(self):
        """Where nothing but the number of workers changes it goes on running."""
        before = self.runs()
        self.choose("Edit")
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_label("Workers", exact=True)).to_have_value("1")
        save = dialog.get_by_role("button", name="Save and restart")
        expect(save).to_be_disabled()
        dialog.get_by_label("Workers at most").fill("0")
        expect(dialog.locator(".problem")).to_have_text("At least 1, which there are always.")
        dialog.get_by_label("Workers at most").fill("")
        dialog.get_by_label("Workers", exact=True).fill("one")
        expect(dialog.locator(".problem")).to_have_text("Write a whole number.")
        dialog.get_by_label("Workers", exact=True).fill("2")
        expect(dialog).to_contain_text("Only the number of workers changes")
        dialog.get_by_role("button", name="Resize").click()
        expect(dialog).to_have_count(0)
        expect(page.get_by_text("2 workers", exact=True)).to_be_visible()
        after = self.runs()
        self.assertEqual((after["workers"], after["ready_time"]), (2, before["ready_time"]))
        self.assertEqual(after["spec"], {**SPEC, "num_workers": 2})

    def test_1a_somebody_else_changes_it(self):
        """Who has it open sees that, and is asked before what was typed is dropped."""
        self.runs()
        self.choose("Edit")
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Name").fill("mine")
        platform.call("POST", f"{address}/resize", {"num_workers": 1})
        expect(dialog).to_contain_text("Somebody else has changed it")
        page.once("dialog", lambda asked: asked.dismiss())
        page.keyboard.press("Escape")
        expect(dialog.get_by_label("Name")).to_have_value("mine")
        dialog.get_by_role("button", name="Begin again from theirs").press("Enter")
        expect(dialog.get_by_label("Name")).to_have_value("lab")
        expect(dialog.get_by_label("Workers", exact=True)).to_have_value("1")
        expect(dialog).to_contain_text("It keeps what is not shown here: 1 tag.")
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)

    def test_1b_who_may_only_use_it(self):
        self.runs()
        platform.call("POST", "/api/v1/users", {"user_name": "guest"})
        token = platform.call("POST", "/api/v1/token/create", {"comment": "test", "user_name": "guest"})["token_value"]
        platform.call("PATCH", f"/api/v1/permissions/clusters/{cluster}", {
            "access_control_list": [{"user_name": "guest", "permission_level": "CAN_ATTACH_TO"}]})
        other = stage.new_page()
        stage.sign_in(other, f"/clusters/{cluster}?edit", token)
        expect(other.get_by_role("dialog")).to_contain_text("You may look at this and not change it.")
        other.keyboard.press("Escape")
        other.get_by_role("button", name="More", exact=True).click()
        for name in ("Edit", "Restart", "Pin", "Delete"):
            expect(other.get_by_role("menuitem", name=name)).to_be_disabled()
        other.context.close()

    def test_2_edited(self):
        """What runs is restarted, and what the form does not show stays as it was."""
        before = self.runs()
        page.goto(f"{platform.url}/clusters/{cluster}?edit")
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_label("Ends after minutes")).to_have_value("30")
        dialog.get_by_label("Name").fill("lab 2")
        dialog.get_by_label("Workers", exact=True).fill("0")
        expect(dialog.get_by_label("Spark properties")).to_have_value("spark.driver.extraJavaOptions -Dquay=1 -Dpier=2")
        dialog.get_by_label("Spark properties").press("Control+End")
        page.keyboard.type("\nspark.sql.shuffle.partitions = 3")
        dialog.get_by_label("Environment variables").fill("STAGE")
        expect(dialog.locator(".problem")).to_have_text("STAGE: write NAME=value.")
        dialog.get_by_label("Environment variables").fill("STAGE=a = b")
        expect(dialog).to_contain_text("so it is restarted")
        expect(dialog.get_by_role("button", name="Save and restart")).to_be_enabled()
        look(self, page, stage.axe, PICTURES / "cluster-edit")
        dialog.get_by_role("button", name="Save and restart").click()
        expect(dialog).to_have_count(0)
        self.assertNotIn("edit", page.url)
        expect(page.get_by_role("heading", level=1)).to_have_text("lab 2")
        eventually("it is restarted", lambda: platform.call("GET", address).get("ready_time", 0) > before["ready_time"], 180)
        self.assertEqual(self.runs()["spec"], {
            **SPEC, "cluster_name": "lab 2", "num_workers": 0, "spark_env_vars": {"STAGE": "a = b"},
            "spark_conf": {**SPEC["spark_conf"], "spark.sql.shuffle.partitions": "3"}})

    def test_3_restarted_kept_and_deleted(self):
        before = self.runs()
        page.goto(f"{platform.url}/clusters/{cluster}")
        self.choose("Restart")
        page.get_by_role("dialog").get_by_role("button", name="Restart").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        eventually("it is restarted", lambda: platform.call("GET", address).get("ready_time", 0) > before["ready_time"], 180)
        self.runs()
        self.choose("Pin")
        expect(page.get_by_text("until it is unpinned", exact=True)).to_be_visible()
        page.get_by_role("button", name="More", exact=True).click()
        expect(page.get_by_role("menuitem", name="Delete")).to_be_disabled()
        page.get_by_role("menuitem", name="Unpin").click()
        expect(page.get_by_text("until it is unpinned", exact=True)).to_have_count(0)
        page.get_by_role("button", name="Terminate lab 2").click()
        expect(page.locator(".heading .badge")).to_have_text("Terminated")
        # What has ended is not restarted: it starts like that next time.
        self.choose("Edit")
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Python packages").fill("simplejson==3.19.2")
        dialog.get_by_role("button", name="Save", exact=True).click()
        expect(dialog).to_have_count(0)
        self.assertEqual(platform.call("GET", address)["spec"]["libraries"], [{"pypi": {"package": "simplejson==3.19.2"}}])
        self.choose("Delete")
        look(self, page, stage.axe, PICTURES / "cluster-delete")
        dialog.get_by_role("button", name="Delete").click()
        expect(page.get_by_text("There is no cluster yet")).to_be_visible()
        # What was known of it is not shown to whoever goes back.
        page.go_back()
        expect(page.get_by_text(f"Cluster {cluster} does not exist.")).to_be_visible()
        expect(page.get_by_role("button", name="Start lab 2")).to_have_count(0)
        eventually("it is forgotten", lambda: page.request.get(platform.url + address).status == 404)
