"""Nothing that is typed is lost, however its page is left and whatever others do meanwhile.

The settings are those of test_page.py.
"""

import base64
import re
import unittest

from harbour import PICTURES, Stage, eventually, paste, write
from playwright.sync_api import Error, expect


def setUpModule():
    global stage, platform
    stage = Stage()
    platform = stage.platform


class LeavingTests(unittest.TestCase):
    def setUp(self):
        self.context = stage.new_context()
        self.addCleanup(self.context.close)

    def open(self, sources=("one = 1", "two = 1")):
        """A notebook, and a browser that looks at it; saving can be prevented."""
        self.path = f"/Shared/{self._testMethodName}"
        self.notebook = platform.notebook(self.path, sources)
        self.page = self.tab()
        stage.sign_in(self.page, f"/workspace{self.path}")
        expect(self.page.locator(".cell")).to_have_count(len(sources))
        return self.page

    def tab(self):
        page = stage.new_page(self.context)
        page.on("dialog", lambda dialog: dialog.accept())
        return page

    def prevent(self, address=r"/api/v1/notebooks/\d+$"):
        """Nothing is saved until the answer is called: the server is not reached."""
        pattern = re.compile(address)
        stop = lambda route: route.continue_() if route.request.method == "GET" else route.abort("connectionreset")
        self.context.route(pattern, stop)
        return lambda: self.context.unroute(pattern, stop)

    def wait_for_tabs(self, page, count):
        """What a tab had is another's to save when it has gone, which its browser sees to after it was closed."""
        eventually("other tabs have gone", lambda: page.evaluate("navigator.locks.query().then(({ held }) => held.length)") == count)

    def crash(self, then):
        """The tab dies, and nothing is done in it any more; then there is another one."""
        with self.assertRaises(Error):
            self.page.goto("chrome://crash")
        self.page.close()
        then()
        self.page = self.tab()
        self.page.goto(platform.url + f"/workspace{self.path}")
        return self.page

    def write(self, number, text, page=None):
        write(page or self.page, number, text)

    def source(self, number, page=None):
        return (page or self.page).locator(".cell").nth(number - 1).locator(".cell-source")

    def content(self):
        return platform.call("GET", f"/api/v1/notebooks/{self.notebook}")

    def expect_saved(self, *sources):
        get = lambda: ["".join(cell["source"]) for cell in self.content()["document"]["cells"]]
        eventually("it is saved", lambda: self.page.evaluate("true") and get() == list(sources))

    def change(self, number, source):
        """Somebody else saves."""
        theirs = self.content()
        theirs["document"]["cells"][number - 1]["source"] = source
        platform.call("PUT", f"/api/v1/notebooks/{self.notebook}", {
            "base_revision_id": theirs["revision_id"], "document": theirs["document"]})

    def drafts(self, page=None):
        return (page or self.page).evaluate("Object.keys(localStorage).filter((key) => key.startsWith('harbour.draft/'))")

    def wait_for_drafts(self, count, page=None):
        eventually(f"{count} drafts are kept", lambda: len(self.drafts(page)) == count)

    def expect_back(self, page=None):
        expect((page or self.page).get_by_text(re.compile("^We brought back what you typed at "))).to_be_visible()

    def sign_in(self):
        self.page.get_by_label("Sign-in token").fill(platform.token)
        self.page.keyboard.press("Enter")

    def test_back_and_links_save(self):
        page = self.open()
        page.get_by_role("link", name="Shared").click()
        page.get_by_role("link", name=self._testMethodName).click()
        self.write(1, "one = 2")
        page.go_back()
        expect(page.get_by_role("heading", name="Shared")).to_be_visible()
        self.expect_saved("one = 2", "two = 1")
        page.go_forward()
        self.write(2, "two = 2")
        page.get_by_role("link", name="Clusters").click()
        self.expect_saved("one = 2", "two = 2")
        self.wait_for_drafts(0)
        # The page goes as a whole, and with it whoever would hear the answer.
        page.go_back()
        self.write(1, "one = 2")
        page.keyboard.press("Control+A")
        # At once, or a request that does not outlive it might be on its way already.
        page.evaluate("""(text) => {
            const clipboardData = new DataTransfer();
            clipboardData.setData("text/plain", text);
            document.activeElement.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
            location.href = "about:blank";
        }""", "one = 3")
        page.wait_for_url("about:blank")
        self.expect_saved("one = 3", "two = 2")
        # What is saved already is not told as something that came back.
        page.goto(platform.url + f"/workspace{self.path}")
        expect(self.source(1)).to_have_text("one = 3")
        self.wait_for_drafts(0)
        expect(page.get_by_text("We brought back")).to_have_count(0)

    def test_what_could_not_be_saved_comes_back(self):
        page = self.open()
        let = self.prevent()
        self.write(1, "one = 2")
        self.wait_for_drafts(1)
        page.reload()
        self.expect_back()
        expect(self.source(1)).to_have_text("one = 2")
        page.screenshot(path=PICTURES / "brought-back.png")
        page.get_by_role("button", name="Undo", exact=True).click()
        expect(self.source(1)).to_have_text("one = 1")
        self.write(2, "two = 2")
        # Another page of this one; it goes on being saved there.
        page.get_by_role("link", name="Jobs", exact=True).click()
        expect(page.locator(".toast")).to_contain_text("This browser keeps it")
        page.get_by_role("button", name="Go back").click()
        self.expect_back()
        page.get_by_role("link", name="Jobs", exact=True).click()
        expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
        let()
        self.expect_saved("one = 1", "two = 2")
        self.wait_for_drafts(0)

    def test_it_comes_together_with_what_others_saved(self):
        page = self.open()
        let = self.prevent()
        self.write(1, "one = 2")
        self.wait_for_drafts(1)

        def others(number, text):
            let()
            self.change(number, text)

        page = self.crash(lambda: others(2, "two = theirs"))
        self.expect_back()
        self.expect_saved("one = 2", "two = theirs")
        self.wait_for_drafts(0)
        let = self.prevent()
        self.write(1, "one = 3")
        self.wait_for_drafts(1)
        page = self.crash(lambda: others(1, "one = theirs"))
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("one = 3")
        expect(dialog).to_contain_text("one = theirs")
        dialog.get_by_role("button", name="Save mine on top").click()
        self.expect_saved("one = 3", "two = theirs")
        self.wait_for_drafts(0)

    def test_each_tab_has_its_own(self):
        page = self.open()
        other = self.tab()
        other.goto(platform.url + f"/workspace{self.path}")
        expect(other.locator(".cell")).to_have_count(2)
        let = self.prevent()
        self.write(1, "one = 2")
        self.write(2, "two = 2", other)
        self.wait_for_drafts(2)
        page.reload()
        self.expect_back()
        expect(self.source(1)).to_have_text("one = 2")
        # The other tab is open: that one is to save it.
        expect(self.source(2)).to_have_text("two = 1")
        other.close()
        self.wait_for_tabs(page, 1)
        page.reload()
        expect(self.source(2)).to_have_text("two = 2")
        let()
        self.write(1, "one = 3")
        self.expect_saved("one = 3", "two = 2")
        self.wait_for_drafts(0)

    def test_signing_out_saves_or_asks(self):
        page = self.open()
        self.write(1, "one = 2")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Sign-in token")).to_be_visible()
        self.expect_saved("one = 2", "two = 1")
        self.sign_in()
        let = self.prevent()
        self.write(1, "one = 3")
        page.get_by_role("button", name="Sign out").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(f"What you typed in {self._testMethodName} is not saved")
        page.screenshot(path=PICTURES / "sign-out.png")
        dialog.get_by_role("button", name="Keep it in this browser and sign out").click()
        expect(page.get_by_label("Sign-in token")).to_be_visible()
        expect(page.get_by_text("Your session has ended")).to_have_count(0)
        let()
        self.sign_in()
        self.expect_back()
        self.expect_saved("one = 3", "two = 1")

    def test_the_end_of_a_session_loses_nothing(self):
        """Only whoever has typed it has it again."""
        page = self.open()
        let = self.prevent()
        self.write(1, "one = 2")
        self.context.clear_cookies()
        let()
        expect(page.get_by_text("Your session has ended")).to_be_visible()
        platform.call("POST", "/api/v1/users", {"user_name": "leaving", "password": "leaving the page"})
        page.get_by_role("button", name="Sign in with a name and a password").click()
        page.get_by_label("Name").fill("leaving")
        page.get_by_label("Password").fill("leaving the page")
        page.keyboard.press("Enter")
        expect(self.source(1)).to_have_text("one = 1")
        expect(page.get_by_text("We brought back")).to_have_count(0)
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Sign in with a token").click()
        self.sign_in()
        self.expect_back()
        self.expect_saved("one = 2", "two = 1")

    def test_a_deleted_notebook_is_restored_or_saved_anew(self):
        page = self.open()
        platform.call("DELETE", f"/api/v1/notebooks/{self.notebook}")
        self.write(1, "one = 2")
        expect(page.get_by_text(f"{self._testMethodName} was deleted. What you typed is still here.")).to_be_visible()
        page.screenshot(path=PICTURES / "deleted.png")
        page.get_by_role("button", name="Restore from the trash").click()
        expect(page.get_by_text("is back.")).to_be_visible()
        self.expect_saved("one = 2", "two = 1")
        expect(page.get_by_text("was deleted.")).to_have_count(0)
        # It has been read anew, and the editor with what it was before is gone.
        expect(page.locator(".editor")).to_have_count(0)
        expect(page.locator(".cell")).to_have_count(2)
        platform.call("DELETE", f"/api/v1/notebooks/{self.notebook}")
        self.write(2, "two = 2")
        page.get_by_role("button", name="Save as a new notebook").click()
        page.get_by_role("dialog").get_by_label("Path").fill(f"{self.path} again")
        page.get_by_role("dialog").get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", name=f"{self._testMethodName} again")).to_be_visible()
        self.notebook = platform.call("GET", f"/api/v1/workspace/get-status?path={self.path}%20again")["object_id"]
        self.expect_saved("one = 2", "two = 2")
        self.wait_for_drafts(0)

    def test_the_page_goes_with_a_moved_notebook(self):
        page = self.open()
        platform.call("POST", "/api/v1/workspace/move", {
            "source_path": self.path, "destination_path": f"{self.path} now"})
        self.write(1, "one = 2")
        page.keyboard.press("Control+S")
        expect(page).to_have_url(re.compile("%20now$"))
        expect(page.get_by_role("heading", name=f"{self._testMethodName} now")).to_be_visible()
        # Whoever types goes on typing.
        page.keyboard.press("End")
        page.keyboard.type("0")
        self.expect_saved("one = 20", "two = 1")
        # And from its old address, with something that is not saved.
        let = self.prevent()
        self.write(1, "one = 3")
        self.wait_for_drafts(1)
        self.path += " now"
        page = self.crash(lambda: platform.call("POST", "/api/v1/workspace/move", {
            "source_path": self.path, "destination_path": self.path[:-3] + "then"}))
        let()
        expect(page).to_have_url(re.compile("%20then$"))
        self.expect_saved("one = 3", "two = 1")

    def test_a_text_file(self):
        path = f"/Shared/{self._testMethodName}.txt"
        put = lambda text, **more: platform.call("POST", "/api/v1/workspace/import", {
            "path": path, "content": base64.b64encode(text).decode(), "format": "AUTO", **more})
        has = lambda: base64.b64decode(platform.call("GET", f"/api/v1/workspace/export?path={path}")["content"])
        put(b"one\n")
        self.page = page = self.tab()
        stage.sign_in(page, f"/workspace{path}")
        page.get_by_role("button", name="Edit").click()
        field = page.locator(".monaco-editor textarea")

        def type_over(text):
            field.wait_for()
            field.focus()
            page.keyboard.press("Control+A")
            paste(page, text)

        type_over("two\n")
        page.get_by_role("link", name="Clusters").click()
        expect(page.locator(".toast")).to_contain_text("This browser keeps it")
        page.get_by_role("button", name="Go back").click()
        self.expect_back()
        expect(page.locator(".view-lines")).to_contain_text("two")
        page.get_by_role("button", name="Save", exact=True).click()
        eventually("it is saved", lambda: page.evaluate("true") and has() == b"two\n")
        self.wait_for_drafts(0)
        type_over("three\n")
        self.wait_for_drafts(1)
        page.goto("about:blank")
        put(b"theirs\n", overwrite=True)
        page.goto(platform.url + f"/workspace{path}")
        expect(page.get_by_text("Somebody else has saved this file")).to_be_visible()
        page.screenshot(path=PICTURES / "file-back.png")
        page.get_by_role("button", name="Save mine on top").click()
        eventually("it is saved", lambda: page.evaluate("true") and has() == b"three\n")
        platform.call("POST", "/api/v1/workspace/delete", {"path": path})
        type_over("four\n")
        page.keyboard.press("Control+S")
        page.get_by_role("button", name="Save it here again").click()
        eventually("it is saved", lambda: page.evaluate("true") and platform.call(
            "GET", "/api/v1/workspace/list?path=/Shared")["objects"] and has_text(path, has) == b"four\n")

    def test_what_is_saved_out_of_what_is_gone(self):
        """A file's lines end as they did, and a notebook's cells are of its language."""
        path = f"/Shared/{self._testMethodName}.txt"
        platform.call("POST", "/api/v1/workspace/import", {
            "path": path, "content": base64.b64encode(b"one\r\n").decode(), "format": "AUTO"})
        self.page = page = self.tab()
        stage.sign_in(page, f"/workspace{path}")
        page.get_by_role("button", name="Edit").click()
        field = page.locator(".monaco-editor textarea")
        field.wait_for()
        field.focus()
        page.keyboard.press("Control+A")
        paste(page, "two\nthree\n")
        self.wait_for_drafts(1)
        page.goto("about:blank")
        platform.call("POST", "/api/v1/workspace/delete", {"path": path})
        page.goto(platform.url + f"/workspace{path}")
        page.get_by_role("button", name="Save what I typed here").click()
        has = lambda: base64.b64decode(platform.call("GET", f"/api/v1/workspace/export?path={path}")["content"])
        eventually("it is saved", lambda: page.evaluate("true") and has_text(path, has) == b"two\r\nthree\r\n")
        self.wait_for_drafts(0)
        self.path = f"/Shared/{self._testMethodName}"
        language = {"language_info": {"name": "sql"}}
        self.notebook = platform.notebook(self.path, ["SELECT 1"], metadata=language)
        page.goto(platform.url + f"/workspace{self.path}")
        let = self.prevent()
        self.write(1, "SELECT 2")
        self.wait_for_drafts(1)
        page = self.crash(lambda: platform.call("DELETE", f"/api/v1/notebooks/{self.notebook}"))
        let()
        page.get_by_role("button", name="Save what I typed here").click()
        expect(page.locator(".cell")).to_have_attribute("aria-label", re.compile("sql"))
        expect(self.source(1)).to_have_text("SELECT 2")

    def test_statements_of_two_tabs(self):
        self.page = page = self.tab()
        stage.sign_in(page, "/sql")
        other = self.tab()
        other.goto(platform.url + "/sql")
        for count, (one, text) in enumerate(((page, "SELECT 'first'"), (other, "SELECT 'second'")), 1):
            one.locator(".monaco-editor textarea").focus()
            one.keyboard.press("Control+A")
            paste(one, text)
            self.wait_for_drafts(count)
        third = self.tab()
        third.goto(platform.url + "/docs")
        self.wait_for_tabs(third, 3)
        page.close()
        other.close()
        self.wait_for_tabs(third, 1)
        page = self.tab()
        page.goto(platform.url + "/sql")
        expect(page.locator(".view-lines")).to_contain_text("SELECT 'second'")
        page.screenshot(path=PICTURES / "sql-other.png")
        page.get_by_role("button", name="Show it instead").click()
        expect(page.locator(".view-lines")).to_contain_text("SELECT 'first'")

    def test_drafts_are_bounded(self):
        page = self.open()
        page.evaluate("""() => {
            const day = 24 * 3600e3;
            const put = (name, time, text) => localStorage.setItem(`harbour.draft/admin/file/${name}/tab`,
                JSON.stringify({ time, path: "/x", content: { lines: text } }));
            for (let one = 0; one < 70; one += 1) put(`few-${one}`, Date.now() - day + one, "x");
            put("old", Date.now() - 31 * day, "x");
            put("long", Date.now() - 2 * day, "x".repeat(1400000));
            put("longer", Date.now() - 1.5 * day, "x".repeat(1400000));
            put("longest", Date.now() - 1.2 * day, "x".repeat(1400000));
        }""")
        let = self.prevent()
        self.write(1, "one = 2")
        eventually("it is kept", lambda: any(f"/notebook/{self.notebook}/" in one for one in self.drafts()))
        left = self.drafts()
        self.assertLessEqual(len(left), 64)
        self.assertFalse(any(re.search("/(old|long|few-0)/", one) for one in left), left)
        self.assertTrue(any("/few-69/" in one for one in left))
        let()
        self.expect_saved("one = 2", "two = 1")


def has_text(path, has):
    """What a file has, which may not be there."""
    try:
        return has()
    except RuntimeError:
        return None
