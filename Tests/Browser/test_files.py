"""Data files in a real Chromium: large ones that go on after every cut, dropped ones, and what is in them.

The settings are those of test_page.py.
"""

import base64
import hashlib
import json
import pathlib
import re
import unittest
import urllib.request

from harbour import ELSEWHERE, PICTURES, Stage, dismiss, eventually, write
from looks import look
from pdf import pdf
from playwright.sync_api import expect

SIZE = 100 << 20
#: Where uploads are shown: what is done goes by itself, but not while somebody points at it.
PANEL = 1150, 800
CSV = "city,day,price,sold\n" + "".join(
    f"{('Bonn', 'Köln', 'Aachen', '')[number % 4]},2026-{number % 12 + 1:02}-01,{number / 8},{number % 2 == 0}\n"
    for number in range(2000)
)


def setUpModule():
    global stage, platform, context, page
    stage = Stage()
    platform, context = stage.platform, stage.new_context()
    page = stage.new_page(context)
    # Leaving in the middle of an upload asks first.
    page.on("dialog", lambda dialog: dialog.accept())
    stage.sign_in(page, "/workspace/Shared")
    expect(page.locator("h1")).to_have_text("Shared")


def large(name):
    """A file of 100 MB, no two chunks of it alike, and its SHA-256."""
    path = platform.folder / name
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for number in range(SIZE >> 20):
            block = hashlib.shake_128(f"{name} {number}".encode()).digest(1 << 20)
            digest.update(block)
            file.write(block)
    return path, digest.hexdigest()


def stored(path):
    """The SHA-256 of what a download brings."""
    request = urllib.request.Request(
        f"{platform.url}/api/v1/files/content?path={path}", headers={"authorization": f"Bearer {platform.token}"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return hashlib.file_digest(answer, "sha256").hexdigest()


class FileTests(unittest.TestCase):
    def setUp(self):
        stage.said.clear()

    def tearDown(self):
        if self._outcome.result.failures or self._outcome.result.errors:
            page.screenshot(path=PICTURES / f"failed-{self._testMethodName}.png")
        self.assertEqual(stage.said, [])

    def look(self, name):
        look(self, page, stage.axe, PICTURES / name)

    def words(self, pattern):
        """What is said of the only upload."""
        expect(page.locator(".upload-words")).to_have_text(re.compile(pattern))

    def test_1_resumed_after_a_cut(self):
        """The network goes, then the workspace is killed, then the tab is loaded again: each time it goes on."""
        path, digest = large("flights.bin")
        # As slow as a line of 16 Mbit/s, so that there is a middle to be cut in.
        session = context.new_cdp_session(page)
        session.send("Network.enable")

        def line(offline, speed=2 << 20):
            session.send("Network.emulateNetworkConditions", {
                "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": speed})

        line(False)
        page.mouse.move(*PANEL)
        page.set_input_files("input[type=file]", path)
        self.words(r"^[1-9]\d % of 1")
        line(True)
        page.evaluate("dispatchEvent(new Event('offline'))")
        self.words(r"^Waits for the connection at [1-9]\d? %")
        expect(page.get_by_text("DataHarbour cannot be reached.")).to_be_visible()
        self.look("upload-offline")
        self.assertEqual(platform.call("GET", "/api/v1/workspace/list?path=/Shared")["objects"], [])
        line(False)
        page.evaluate("dispatchEvent(new Event('online'))")
        self.words(r"^[2-9]\d % of 1")
        platform.kill("workspace")
        self.words(r"^[3-9]\d % of 1")
        # It is to be under way still when the tab is loaded again.
        line(False, 64 << 10)
        self.look("upload")
        page.reload()
        line(False, -1)
        expect(page.locator(".upload")).to_have_count(0)
        before = platform.call("GET", "/api/v1/files/uploads")["uploads"]
        self.assertEqual(len(before), 1)
        self.assertGreaterEqual(before[0]["offset"], SIZE * 2 // 10)
        page.mouse.move(*PANEL)
        page.set_input_files("input[type=file]", path)
        page.locator(".uploads").hover()
        self.words(r"went on at|^Is being checked|^100 MiB in")
        self.words(r" in /Shared$")
        self.assertEqual(stored("/Shared/flights.bin"), digest)
        self.assertEqual(platform.call("GET", "/api/v1/files/uploads")["uploads"], [])
        expect(page.get_by_role("link", name="flights.bin").first).to_be_visible()
        # The notice goes by itself, but not while somebody is at it.
        page.get_by_label("Dismiss all").hover()
        page.get_by_label("Dismiss all").click()
        session.detach()
        stage.said.clear()

    def test_2_stopped(self):
        path, _ = large("unwanted.bin")
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", {
            "offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 1 << 20})
        page.mouse.move(*PANEL)
        page.set_input_files("input[type=file]", path)
        self.words(r"^[1-9]\d? % of 1")
        page.get_by_label("Stop the upload of unwanted.bin").click()
        expect(page.locator(".upload")).to_have_count(0)
        eventually("nothing is left of it", lambda: platform.call("GET", "/api/v1/files/uploads")["uploads"] == [])
        session.detach()

    def test_2a_changed_on_its_way(self):
        """A piece that comes as something else is not kept; it is sent again."""
        content, changed = b"0123456789" * 1000, []

        def change(route):
            changed.append(route.request.url)
            route.continue_(post_data=b"9" + content[1:])

        page.route("**/files/uploads/*offset=0*", change, times=1)
        page.mouse.move(*PANEL)
        page.set_input_files("input[type=file]", {"name": "careful.bin", "mimeType": "application/octet-stream", "buffer": content})
        expect(page.locator(".upload.done")).to_have_count(1)
        self.assertIn(f"sha256={hashlib.sha256(content).hexdigest()}", changed[0])
        self.assertEqual(stored("/Shared/careful.bin"), hashlib.sha256(content).hexdigest())
        page.get_by_label("Dismiss all").click()

    def test_2b_from_another_machine(self):
        """Over plain HTTP browsers leave out what they have for this machine only; all that is needed is there all the same."""
        platform.notebook("/Shared/far", ["x = 1"])
        one = stage.new_page(stage.new_context())
        stage.sign_in(one, "/workspace/Shared/far", host=ELSEWHERE)
        self.assertEqual(one.evaluate("[isSecureContext, typeof crypto.randomUUID, typeof navigator.clipboard]"), [False, "undefined", "undefined"])
        one.get_by_role("button", name="+ Code").last.click()
        write(one, 2, "y = 2")
        expect(one.get_by_text("Saved", exact=True)).to_be_visible()
        eventually("both cells are kept", lambda: ["x = 1", "y = 2"] == [
            "".join(cell["source"]) for cell in json.loads(base64.b64decode(platform.call(
                "GET", "/api/v1/workspace/export?path=/Shared/far&format=JUPYTER")["content"]))["cells"]])
        one.get_by_role("link", name="Workspace", exact=True).first.click()
        one.get_by_role("link", name="Shared").click()
        one.set_input_files("input[type=file]", {"name": "far.bin", "mimeType": "application/octet-stream", "buffer": b"from afar"})
        expect(one.locator(".upload.done")).to_have_count(1)
        self.assertEqual(stored("/Shared/far.bin"), hashlib.sha256(b"from afar").hexdigest())
        one.goto(f"http://{ELSEWHERE}:{platform.port}/settings?tab=tokens")
        one.get_by_role("button", name="New token").first.click()
        one.get_by_label("What it is for").fill("far")
        one.get_by_role("dialog").get_by_role("button", name="Make").click()
        token = one.get_by_label("The token", exact=True).inner_text()
        one.get_by_role("button", name="Copy").click()
        expect(one.get_by_text("Copied.")).to_be_visible()
        one.get_by_role("button", name="Done").click()
        one.keyboard.press("Control+k")
        one.keyboard.press("Control+v")
        expect(one.get_by_role("combobox", name="Search the workspace")).to_have_value(token)
        one.context.close()

    def test_3_dropped_and_looked_into(self):
        page.mouse.move(*PANEL)
        page.evaluate(
            """(text) => {
                const data = new DataTransfer();
                data.items.add(new File([text], 'sales.csv', { type: 'text/csv' }));
                data.items.add(new File(['print(1)\\n'], 'report.py'));
                data.items.add(new File([text.slice(0, 40)], 'sales.csv'));
                const place = document.querySelector('.content');
                place.dispatchEvent(new DragEvent('dragover', { dataTransfer: data, bubbles: true, cancelable: true }));
                place.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
            }""", CSV)
        page.locator(".uploads").hover()
        expect(page.locator(".upload.done")).to_have_count(3)
        # Of one name there are two now, and nothing was overwritten.
        expect(page.get_by_role("link", name="sales (2).csv").first).to_be_visible()
        page.get_by_label("Dismiss all").hover()
        self.look("uploaded")
        page.mouse.move(5, 5)
        expect(page.locator(".upload")).to_have_count(0)
        types = {one["path"]: one["object_type"] for one in platform.call(
            "GET", "/api/v1/workspace/list?path=/Shared")["objects"]}
        self.assertEqual(types["/Shared/report"], "NOTEBOOK")
        self.assertEqual(types["/Shared/sales.csv"], "FILE")
        page.goto(platform.url + "/workspace/Shared/sales.csv")
        expect(page.locator(".data-table tbody tr").nth(1)).to_contain_text("Köln")
        row = page.locator(".profile tbody tr").first
        expect(row).to_contain_text("75 %")
        expect(row).to_contain_text("Aachen")
        self.look("data-file")
        # The first rows are not saved as if they were all; all of them are in the file itself.
        expect(page.locator(".data-bar")).to_contain_text("500 rows; the whole has 2,000: Download gives all of them")
        with page.expect_download() as download:
            page.get_by_role("button", name="CSV of these 500 rows").click()
        self.assertEqual(download.value.suggested_filename, "sales-first-500.csv")
        self.assertEqual(len(pathlib.Path(download.value.path()).read_text().splitlines()), 501)
        with page.expect_download() as download:
            page.get_by_role("link", name="Download").click()
        self.assertEqual(pathlib.Path(download.value.path()).read_text(), CSV)

    def test_4_nothing_uploaded_runs(self):
        """A page that somebody has uploaded is not a page of ours, however it is opened."""
        page.goto(platform.url + "/workspace/Shared")
        page.mouse.move(*PANEL)
        page.set_input_files("input[type=file]", files=[{
            "name": "evil.html", "mimeType": "text/html",
            "buffer": b"<script>document.title = 'owned'; fetch('/api/v1/me')</script>words"}])
        page.locator(".uploads").hover()
        expect(page.locator(".upload.done")).to_have_count(1)
        page.goto(platform.url + "/api/v1/files/content?path=/Shared/evil.html&inline=true")
        expect(page.locator("body")).to_contain_text("<script>")
        self.assertNotEqual(page.title(), "owned")
        page.goto(platform.url + "/workspace/Shared/evil.html")
        expect(page.locator(".log")).to_contain_text("<script>")

    def test_5_a_pdf_is_read_page_by_page(self):
        page.goto(platform.url + "/workspace/Shared")
        page.mouse.move(*PANEL)
        page.set_input_files("input[type=file]", files=[
            {"name": "report.pdf", "mimeType": "application/pdf", "buffer": pdf("Harbour dues", "Tides")},
            {"name": "broken.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 and no more"}])
        page.locator(".uploads").hover()
        expect(page.locator(".upload.done")).to_have_count(2)
        page.goto(platform.url + "/workspace/Shared/report.pdf")
        expect(page.get_by_role("heading", name="Page 1 of 2")).to_be_visible()
        expect(page.locator(".card-body p")).to_have_text("Harbour dues")
        # Drawn in the very colour, in the middle of the rectangle.
        blue = page.evaluate(
            """() => {
                const canvas = document.querySelector('canvas.pdf-page');
                const at = [canvas.width * 260 / 595, canvas.height * (842 - 360) / 842];
                return [...canvas.getContext('2d').getImageData(at[0], at[1], 1, 1).data];
            }""")
        self.assertEqual(blue[:3], [26, 102, 204])
        self.look("pdf")
        page.get_by_role("button", name="Next page").click()
        expect(page.locator(".card-body p")).to_have_text("Tides")
        expect(page.get_by_role("button", name="Next page")).to_be_disabled()
        page.goto(platform.url + "/workspace/Shared/broken.pdf")
        expect(page.locator(".note")).to_contain_text("no PDF, or it is damaged")

    def toast(self, words):
        expect(page.locator(".toast").filter(has_text=words)).to_be_visible()

    def dismiss(self):
        dismiss(page)

    def in_dialog(self, button):
        page.get_by_role("dialog").get_by_role("button", name=button, exact=True).click()
        expect(page.get_by_role("dialog")).to_have_count(0)

    def delete(self, name):
        page.get_by_label(f"Delete {name}", exact=True).click()
        self.toast(f"{name} is in the trash.")

    def test_6_deleted_and_back(self):
        """A copy, a deletion that is taken back at once, and the trash: back, elsewhere, and gone for good."""
        for name in ("notes.txt", "plan.txt"):
            platform.call("POST", "/api/v1/workspace/import", {
                "path": f"/Shared/desk/{name}", "content": base64.b64encode(name.encode()).decode()})
        page.goto(platform.url + "/workspace/Shared/desk")
        table = page.locator(".table")
        page.get_by_label("Copy notes.txt", exact=True).click()
        expect(page.get_by_label("Path of the copy")).to_have_value("/Shared/desk/notes copy.txt")
        self.look("copy")
        page.get_by_label("Path of the copy").press("Enter")
        expect(table.get_by_role("link", name="notes copy.txt")).to_be_visible()
        self.delete("notes copy.txt")
        page.get_by_role("button", name="Undo").click()
        # It is back, with the keyboard on it.
        expect(table.get_by_role("link", name="notes copy.txt")).to_be_focused()
        self.look("folder-with-toast")
        self.dismiss()
        for name in ("notes copy.txt", "notes.txt"):
            self.delete(name)
            expect(table.get_by_role("link", name=name, exact=True)).to_have_count(0)
        page.goto(platform.url + "/workspace/Shared")
        self.delete("desk")
        self.dismiss()
        page.get_by_role("button", name="More").click()
        page.get_by_role("menuitem", name="Open the trash").click()
        expect(page.locator("h1")).to_have_text("Trash")
        expect(table.locator("tbody tr")).to_have_count(3)
        expect(table.locator("tbody tr").first).to_contain_text("/Shared, with 1 thing in it")
        expect(table.locator("tbody tr").first).to_contain_text("30 days")
        expect(page.get_by_text("stays here for 30 days")).to_be_visible()
        self.look("trash")
        # By the keyboard; the folder it was in is made again.
        page.get_by_label("Restore notes.txt").focus()
        page.keyboard.press("Enter")
        self.toast("notes.txt is back at /Shared/desk/notes.txt.")
        expect(table.locator("tbody tr")).to_have_count(2)
        expect(page.locator("#content")).to_be_focused()
        self.elsewhere(table)
        # The address is one to come back to.
        page.goto(platform.url + "/trash")
        page.get_by_label("Delete notes copy.txt for good").click()
        self.look("purge")
        self.in_dialog("Delete for good")
        expect(page.get_by_text("The trash is empty")).to_be_visible()
        self.dismiss()
        self.look("trash-empty")

    def test_7_a_text_is_edited(self):
        path = "/Shared/settings.yaml"
        write = lambda text, **more: platform.call("POST", "/api/v1/workspace/import", {
            "path": path, "content": base64.b64encode(text).decode(), "format": "AUTO", **more})
        write(b"berths: 4\r\ntide: low\r\n")
        page.goto(f"{platform.url}/workspace{path}")
        page.get_by_role("button", name="Edit").click()
        page.locator(".monaco-editor textarea").wait_for()
        page.keyboard.press("Control+Home")
        page.keyboard.press("End")
        page.keyboard.type("2")
        expect(page.get_by_text("Not saved yet")).to_be_visible()
        self.look("text-editor")
        page.locator(".monaco-editor textarea").focus()
        page.keyboard.press("Control+s")
        expect(page.locator(".card-head").get_by_text("Saved", exact=True)).to_be_visible()
        # Lines end as they have ended.
        self.assertEqual(stored(path), hashlib.sha256(b"berths: 42\r\ntide: low\r\n").hexdigest())
        self.dismiss()
        page.locator(".monaco-editor textarea").focus()
        page.keyboard.press("Escape")
        expect(page.locator("#content")).to_be_focused()
        # What was saved here is nobody else's, also for whoever goes elsewhere before saving again and comes back.
        page.locator(".monaco-editor textarea").focus()
        page.keyboard.type("7")
        page.get_by_role("link", name="Clusters").click()
        page.locator(".toast").get_by_role("button", name="Go back").click()
        expect(page.get_by_text("We brought back what you typed")).to_be_visible()
        expect(page.locator(".view-lines")).to_contain_text("berths: 427")
        expect(page.get_by_text("Somebody else has saved")).to_have_count(0)
        page.get_by_role("button", name="Undo").click()
        expect(page.locator(".view-lines")).to_have_text(re.compile(r"berths:\s42(?!7)"))
        self.dismiss()
        page.locator(".monaco-editor textarea").focus()
        page.keyboard.press("Control+Home")
        page.keyboard.press("End")
        # Somebody else saves it: nothing of theirs is lost without being asked.
        write(b"theirs\n", overwrite=True)
        page.locator(".monaco-editor textarea").focus()
        page.keyboard.type("0")
        page.keyboard.press("Control+s")
        expect(page.get_by_text("Somebody else has saved this file")).to_be_visible()
        self.assertEqual(stored(path), hashlib.sha256(b"theirs\n").hexdigest())
        self.look("text-conflict")
        page.get_by_role("button", name="Save mine on top").click()
        expect(page.locator(".card-head").get_by_text("Saved", exact=True)).to_be_visible()
        self.assertEqual(stored(path), hashlib.sha256(b"berths: 420\r\ntide: low\r\n").hexdigest())
        page.get_by_role("button", name="Close").click()
        expect(page.locator(".log")).to_contain_text("berths: 420")
        self.dismiss()

    def elsewhere(self, table):
        """The place of the folder is another's by now."""
        self.dismiss()
        page.get_by_label("Restore desk").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("Something else is at /Shared/desk now")
        expect(dialog.get_by_label("Path")).to_have_value("/Shared/desk restored")
        self.look("restore-elsewhere")
        self.in_dialog("Restore")
        self.toast("desk is back at /Shared/desk restored.")
        page.locator(".toast").get_by_role("button", name="Open").click()
        expect(page.locator("h1")).to_have_text("desk restored")
        expect(table.get_by_role("link", name="plan.txt")).to_be_visible()
        self.dismiss()


if __name__ == "__main__":
    unittest.main(failfast=True)
