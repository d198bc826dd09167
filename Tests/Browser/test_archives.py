"""Folders as zip archives in a real Chromium: out by a link, in with what is wrong with them said.

The settings are those of test_page.py.
"""

import io
import pathlib
import unittest
import zipfile

from harbour import PICTURES, Stage, eventually
from looks import look
from playwright.sync_api import expect


def setUpModule():
    global stage, platform, context, page
    stage = Stage()
    platform, context = stage.platform, stage.new_context(accept_downloads=True)
    page = stage.new_page(context)
    page.on("dialog", lambda dialog: dialog.accept())
    platform.call("POST", "/api/v1/workspace/mkdirs", {"path": "/Shared/out"})
    stage.sign_in(page, "/workspace/Shared")
    expect(page.locator("h1")).to_have_text("Shared")


def archive(entries):
    """A zip archive of these names and contents."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries:
            file.writestr(name, content)
    return data.getvalue()


class ArchiveTests(unittest.TestCase):
    def setUp(self):
        stage.said.clear()

    def tearDown(self):
        if self._outcome.result.failures or self._outcome.result.errors:
            page.screenshot(path=PICTURES / f"failed-{self._testMethodName}.png")
        self.assertEqual(stage.said, [])

    def look(self, name):
        look(self, page, stage.axe, PICTURES / name)

    def bring(self, name, data):
        # What is done goes by itself, but not while somebody is where it is shown.
        page.mouse.move(1150, 800)
        page.get_by_label("Archive to import").set_input_files(
            {"name": name, "mimeType": "application/zip", "buffer": data})
        page.locator(".uploads").hover()
        return page.locator(".upload").last

    def test_there_and_back(self):
        page.goto(f"{platform.url}/workspace/Shared/out")
        one = self.bring("project.zip", archive([
            ("src/etl.py", "# Databricks notebook source\nprint(1)\n"), ("src/module.py", "x = 1\n"),
            ("query.sql", "SELECT 1\n"), ("data/größe.csv", "a,b\n1,2\n" * 1000)]))
        expect(one).to_contain_text("2 notebooks and 2 files in /Shared/out")
        expect(page.get_by_role("link", name="query", exact=True)).to_be_visible()
        self.look("archive-imported")
        with page.expect_download() as download:
            page.get_by_role("button", name="More").press("Enter")
            page.get_by_role("menuitem", name="Export").press("Enter")
            expect(page.get_by_text("Preparing out.zip.")).to_be_visible()
        self.assertEqual(download.value.suggested_filename, "out.zip")
        with zipfile.ZipFile(pathlib.Path(download.value.path())) as file:
            self.assertIsNone(file.testzip())
            self.assertEqual(file.namelist(), [
                "data/", "data/größe.csv", "query.sql", "src/", "src/etl.py", "src/module.py"])
            self.assertEqual(file.read("data/größe.csv"), b"a,b\n1,2\n" * 1000)
        # The same again is in its own way, until new revisions are wanted.
        again = self.bring("project.zip", archive([("query.sql", "SELECT 2\n"), ("data/größe.csv", "a,b\n1,2\n" * 1000)]))
        expect(again).to_contain_text("/Shared/out/query is there already")
        self.look("archive-in-the-way")
        page.locator(".uploads").hover()
        again.get_by_role("button", name="Save new revisions").press("Enter")
        expect(again).to_contain_text("1 notebook and 1 file in /Shared/out, 1 unchanged")

    def test_problems_are_named(self):
        page.goto(f"{platform.url}/workspace/Shared")
        one = self.bring("bad.zip", archive([("../up.txt", "1"), ("a//b.txt", "1"), ("good.txt", "1")]))
        expect(one).to_contain_text("../up.txt: its name leads out of the folder")
        expect(one).to_contain_text("a//b.txt")
        self.look("archive-refused")
        one.get_by_role("button", name="Dismiss bad.zip").click()
        expect(page.get_by_role("link", name="good.txt")).to_have_count(0)
        left = lambda: [one for one in platform.call("GET", "/api/v1/files/uploads")["uploads"] if "bad.zip" in one["path"]]
        eventually("its upload is gone", lambda: page.evaluate("true") and not left())


if __name__ == "__main__":
    unittest.main(failfast=True)
