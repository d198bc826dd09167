"""Users, groups, tokens, sharing and the audit log in a real Chromium: an administrator in one browser, a user in another."""

import json
import re
import unittest
import urllib.error
import urllib.request

from harbour import PICTURES, Stage
from looks import look
from playwright.sync_api import expect

NOTEBOOK = {"path": "/Users/admin/lab/n", "content": "cHJpbnQoMSkK", "format": "SOURCE", "language": "python"}


def setUpModule():
    global stage, platform, admin, ada
    stage = Stage()
    platform = stage.platform
    platform.call("POST", "/api/v1/workspace/import", NOTEBOOK)
    admin, ada = stage.new_page(), stage.new_page()


def status(token):
    """What the API answers to a token."""
    request = urllib.request.Request(platform.url + "/api/v1/me", headers={"authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["user_name"]
    except urllib.error.HTTPError as error:
        return error.code


def send_file(path, content):
    """Sends a file as one that is uploaded, so that it comes into the object storage."""
    upload = platform.call("POST", "/api/v1/files/uploads", {"path": path, "size": len(content), "overwrite": True})
    address = f"{platform.url}/api/v1/files/uploads/{upload['upload_id']}"
    request = urllib.request.Request(
        address + "?offset=0", method="PUT", data=content,
        headers={"authorization": f"Bearer {platform.token}", "content-type": "application/octet-stream"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()
    platform.call("POST", f"/api/v1/files/uploads/{upload['upload_id']}/complete")


class PeopleTests(unittest.TestCase):
    def setUp(self):
        stage.said.clear()

    def tearDown(self):
        if self._outcome.result.failures or self._outcome.result.errors:
            for name, page in (("admin", admin), ("ada", ada)):
                page.screenshot(path=PICTURES / f"failed-{self._testMethodName}-{name}.png")
        self.assertEqual(stage.said, [])

    def look(self, page, name):
        look(self, page, stage.axe, PICTURES / name)

    def settings(self, page, tab):
        page.goto(f"{platform.url}/settings?tab={tab}")
        expect(page.locator("h1")).to_have_text("Settings")
        expect(page.locator(".skeleton")).to_have_count(0)

    def test_01_users(self):
        admin.goto(platform.url + "/settings")
        admin.get_by_label("Sign-in token").fill(platform.token)
        admin.get_by_role("button", name="Sign in", exact=True).click()
        expect(admin.get_by_text("Name to sign in with")).to_be_visible()
        self.look(admin, "settings-account")
        self.settings(admin, "users")
        for name, kind in (("ada", "USER"), ("robot", "SERVICE_PRINCIPAL")):
            admin.get_by_role("button", name="New user").click()
            dialog = admin.get_by_role("dialog")
            dialog.get_by_label("Name to sign in with").fill("ada lovelace" if name == "ada" else name)
            dialog.get_by_label("Kind").select_option(kind)
            if name == "ada":
                dialog.get_by_label("First password").fill("correct horse")
                dialog.get_by_role("button", name="Make").click()
                # A name with a blank is refused where it was given.
                expect(dialog.get_by_role("alert")).to_contain_text("user_name")
                self.look(admin, "settings-new-user")
                dialog.get_by_label("Name to sign in with").fill(name)
            dialog.get_by_role("button", name="Make").click()
            expect(admin.get_by_role("dialog")).to_have_count(0)
        expect(admin.get_by_role("row", name="robot")).to_contain_text("service account")
        self.look(admin, "settings-users")

    def test_02_groups(self):
        self.settings(admin, "groups")
        self.look(admin, "settings-no-groups")
        admin.get_by_role("button", name="New group").click()
        admin.get_by_role("dialog").get_by_label("Name").fill("crew")
        admin.get_by_role("dialog").get_by_role("button", name="Make").click()
        admin.get_by_role("button", name="Members of crew").click()
        admin.get_by_role("dialog").get_by_label("ada").check()
        self.look(admin, "settings-members")
        admin.get_by_role("dialog").get_by_role("button", name="Save").click()
        expect(admin.get_by_role("dialog")).to_have_count(0)
        self.assertEqual(platform.call("GET", "/api/v1/groups/crew")["members"], ["ada"])
        self.look(admin, "settings-groups")

    def test_02_secrets(self):
        self.settings(admin, "secrets")
        self.look(admin, "settings-no-secrets")
        admin.get_by_role("button", name="New scope").click()
        admin.get_by_role("dialog").get_by_label("Name").fill("harbour")
        admin.get_by_role("dialog").get_by_role("button", name="Make").click()
        admin.get_by_role("button", name="New secret in harbour").click()
        dialog = admin.get_by_role("dialog")
        dialog.get_by_label("Key").fill("no key")
        dialog.get_by_label("Value").fill("tide tables")
        dialog.get_by_role("button", name="Keep").click()
        expect(dialog.get_by_role("alert")).to_be_visible()
        dialog.get_by_label("Key").fill("password")
        dialog.get_by_role("button", name="Keep").click()
        expect(admin.get_by_role("row", name="password")).to_be_visible()
        self.look(admin, "settings-secrets")
        self.assertNotIn("tide tables", admin.content())
        self.assertEqual(platform.call("GET", "/api/v1/secrets/list?scope=harbour")["secrets"][0]["key"], "password")
        admin.get_by_role("button", name="Delete password").click()
        admin.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(admin.get_by_text("Nothing is kept in it yet.")).to_be_visible()
        admin.get_by_role("button", name="Delete the scope harbour").click()
        admin.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(admin.get_by_text("There is no scope that you may see")).to_be_visible()

    def test_03_sharing(self):
        admin.goto(platform.url + "/workspace/Users/admin/lab")
        admin.get_by_role("button", name="Share").click()
        dialog = admin.get_by_role("dialog")
        dialog.get_by_label("User or group").fill("nobody")
        dialog.get_by_role("button", name="Share").click()
        expect(dialog.get_by_text("There is no user or group nobody.")).to_be_visible()
        dialog.get_by_label("User or group").fill("crew")
        dialog.get_by_label("Permission", exact=True).select_option("CAN_READ")
        dialog.get_by_role("button", name="Share").click()
        expect(dialog.get_by_label("Permission of crew")).to_have_value("CAN_READ")
        self.look(admin, "share")
        dialog.get_by_label("Permission of crew").select_option("CAN_RUN")
        expect(admin.get_by_text("crew: can run.")).to_be_visible()
        dialog.get_by_role("button", name="Done").click()

    def test_04_another_user(self):
        ada.goto(platform.url + "/workspace/Users")
        ada.get_by_role("button", name="Sign in with a name and a password").click()
        ada.get_by_label("Name").fill("ada")
        ada.get_by_label("Password").fill("wrong horse")
        ada.get_by_role("button", name="Sign in", exact=True).click()
        expect(ada.get_by_text("The name or the password is not right.")).to_be_visible()
        self.look(ada, "sign-in-password")
        ada.get_by_label("Password").fill("correct horse")
        ada.get_by_role("button", name="Sign in", exact=True).click()
        # What is theirs, and the way to what was shared with them.
        expect(ada.locator("td.name")).to_have_text(["ada", "admin"])
        ada.goto(platform.url + "/workspace/Users/admin")
        expect(ada.locator("td.name")).to_have_text(["lab"])
        ada.goto(platform.url + "/workspace/Users/admin/lab/n")
        expect(ada.get_by_text("print(1)")).to_be_visible()
        ada.get_by_role("button", name="Share n").click()
        expect(ada.get_by_text("Only who may manage it can share it.")).to_be_visible()
        self.look(ada, "share-to-see")
        ada.keyboard.press("Escape")
        self.settings(ada, "users")
        expect(ada.get_by_role("tab")).to_have_text(["Account", "Tokens", "Secrets"])

    def test_05_tokens(self):
        self.settings(ada, "tokens")
        self.look(ada, "settings-no-tokens")
        ada.get_by_role("button", name="New token").click()
        ada.get_by_role("dialog").get_by_label("What it is for").fill("nightly")
        ada.get_by_role("dialog").get_by_role("button", name="Make").click()
        token = ada.get_by_label("The token").inner_text()
        self.assertEqual(status(token), "ada")
        self.look(ada, "settings-new-token")
        ada.get_by_role("button", name="Done").click()
        expect(ada.get_by_role("row", name="nightly")).to_be_visible()
        self.look(ada, "settings-tokens")
        ada.get_by_role("button", name="Revoke nightly").click()
        ada.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        expect(ada.get_by_text("You have no token")).to_be_visible()
        self.assertEqual(status(token), 401)

    def test_06_audit(self):
        self.settings(admin, "audit")
        expect(admin.get_by_role("row", name="Set permissions").first).to_contain_text("object")
        self.look(admin, "settings-audit")
        admin.get_by_label("Refused only").check()
        expect(admin.get_by_role("row", name="Create session")).to_contain_text("ada")
        expect(admin.get_by_role("row", name="Set permissions")).to_have_count(0)
        # What is asked for is in the address.
        admin.reload()
        expect(admin.get_by_label("Refused only")).to_be_checked()
        expect(admin.get_by_role("row", name="Create session")).to_contain_text("ada")
        expect(admin.get_by_role("row", name="Set permissions")).to_have_count(0)

    def test_06_storage(self):
        """Where files are kept and what takes up room; what is not reachable is said, with what to do."""
        send_file("/Shared/kept.bin", b"old" * 200_000)
        send_file("/Shared/kept.bin", b"new!" * 400_000)
        send_file("/Shared/gone.bin", b"gone" * 100_000)
        platform.call("POST", "/api/v1/workspace/delete", {"path": "/Shared/gone.bin"})
        self.settings(admin, "storage")
        folder = platform.data / "storage"
        place = admin.locator(".card", has=admin.get_by_role("heading", name=re.compile("^Object storage")))
        expect(place.locator(".badge")).to_have_text("Reachable")
        expect(place).to_contain_text(str(folder))
        expect(place.get_by_role("img")).to_have_attribute("aria-label", re.compile("are free"))
        expect(admin.get_by_text(re.compile(r"^Counted (just now|\d+ s ago)"))).to_be_visible()
        kinds = admin.locator(".storage-kinds").first.locator("li")
        expect(kinds.filter(has_text="Files of the workspace")).to_contain_text("1.5 MiB")
        expect(kinds.filter(has_text="Older revisions")).to_contain_text("1 object")
        expect(kinds.filter(has_text="In the trash")).to_contain_text("391 KiB")
        expect(admin.get_by_text("5.0 GiB", exact=True)).to_be_visible()
        expect(admin.get_by_role("row", name="HARBOUR_WORKSPACE_S3_SECRET_KEY")).to_contain_text("MINIO_SECRET_KEY")
        self.look(admin, "settings-storage")
        (folder / "objects").rename(folder / "elsewhere")
        try:
            admin.get_by_role("button", name="Try again now").click()
            expect(place.get_by_role("alert")).to_contain_text("cannot be written to: No such file or directory.")
            expect(place.get_by_role("alert")).to_contain_text("HARBOUR_WORKSPACE_STORAGE_FOLDER")
            expect(place.locator(".badge")).to_have_text("Not reachable")
            self.look(admin, "settings-storage-gone")
        finally:
            (folder / "elsewhere").rename(folder / "objects")
        admin.get_by_role("button", name="Try again now").click()
        expect(place.locator(".badge")).to_have_text("Reachable")
        admin.get_by_role("link", name="In the API").click()
        expect(admin.locator("h1")).to_have_text(re.compile("^Say where large files are kept"))

    def test_07_password_and_out(self):
        self.settings(ada, "account")
        ada.get_by_role("button", name="Change password").click()
        dialog = ada.get_by_role("dialog")
        dialog.get_by_label("Password of before").fill("guess")
        dialog.get_by_label("New password").fill("battery staple")
        dialog.get_by_role("button", name="Set").click()
        expect(dialog.get_by_role("alert")).to_contain_text("another one")
        dialog.get_by_label("Password of before").fill("correct horse")
        dialog.get_by_role("button", name="Set").click()
        # The session began with the password of before.
        expect(ada.get_by_label("Password", exact=True)).to_be_visible()
        ada.get_by_label("Name").fill("ada")
        ada.get_by_label("Password").fill("battery staple")
        ada.get_by_role("button", name="Sign in", exact=True).click()
        expect(ada.get_by_text("Name to sign in with")).to_be_visible()
        self.settings(admin, "users")
        admin.get_by_role("button", name="Shut ada out").click()
        expect(admin.get_by_text("ada is shut out.")).to_be_visible()
        ada.goto(platform.url + "/settings")
        expect(ada.get_by_label("Password", exact=True)).to_be_visible()


if __name__ == "__main__":
    unittest.main(failfast=True)
