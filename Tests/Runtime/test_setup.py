"""deploy/setup: what it says and what it refuses. Its long parts run for real when a machine is set up."""

import functools
import http.server
import os
import pathlib
import subprocess
import tarfile
import tempfile
import threading
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
NAME = "swift-6.3.1-RELEASE"


def setup(data, *arguments, **environment):
    """Runs deploy/setup with a data folder of its own."""
    values = {**os.environ, "HARBOUR_DATA": str(data), "CI": "true", **environment}
    return subprocess.run([REPOSITORY / "deploy/setup", *arguments], env=values, capture_output=True, text=True)


class Words(unittest.TestCase):
    def test_help_and_mistakes(self):
        with tempfile.TemporaryDirectory() as data:
            self.assertIn("--only", setup(data, "--help").stdout)
            for wrong in (["--fast"], ["--only"], ["--only", "java"]):
                answer = setup(data, *wrong)
                self.assertEqual(answer.returncode, 2, wrong)
            blank = setup(f"{data}/a b", "--only", "runtime")
            self.assertEqual(blank.returncode, 1)
            self.assertIn("blank", blank.stderr)

    def test_a_folder_that_cannot_be_written_is_named(self):
        answer = setup("/proc/nowhere", "--only", "packages")
        self.assertEqual(answer.returncode, 1)
        self.assertIn("/proc/nowhere cannot be written", answer.stderr)

    def test_a_swift_that_is_there_is_found(self):
        with tempfile.TemporaryDirectory() as data:
            program = make_toolchain(pathlib.Path(data) / "mine")
            answer = setup(data, "--only", "swift", HARBOUR_SWIFT=str(program))
            self.assertEqual(answer.returncode, 0, answer.stderr)
            self.assertIn(str(program), answer.stdout)


def make_toolchain(folder):
    """A program that answers like Swift."""
    program = folder / "usr/bin/swift"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho 'Swift version 6.3.1 (swift-6.3.1-RELEASE)'\n")
    program.chmod(0o755)
    return program


class Swift(unittest.TestCase):
    """The download, from a site of ours with a key of ours."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="rs-", dir="/tmp")
        cls.addClassCleanup(cls.folder.cleanup)
        root = pathlib.Path(cls.folder.name)
        cls.site, cls.keys = root / "site", root / "keys"
        cls.keys.mkdir(mode=0o700)
        cls.gpg("--passphrase", "", "--quick-gen-key", "Swift 6.x <swift@example.org>", "ed25519", "sign")
        listed = cls.gpg("--list-keys", "--with-colons")
        cls.signer = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))
        machine = "" if os.uname().machine == "x86_64" else "-aarch64"
        cls.archive = cls.site / f"swift-6.3.1-release/debian12{machine}/{NAME}/{NAME}-debian12{machine}.tar.gz"
        cls.archive.parent.mkdir(parents=True)
        make_toolchain(root / "made")
        with tarfile.open(cls.archive, "w:gz") as file:
            file.add(root / "made", arcname="top")
        cls.gpg("--detach-sign", "--output", f"{cls.archive}.sig", str(cls.archive))
        (cls.site / "keys.asc").write_text(cls.gpg("--armor", "--export"))
        handler = functools.partial(Quiet, directory=cls.site)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cls.addClassCleanup(server.server_close)
        cls.addClassCleanup(server.shutdown)
        cls.url = f"http://127.0.0.1:{server.server_address[1]}"

    @classmethod
    def gpg(cls, *arguments):
        command = ["gpg", "--batch", "--homedir", cls.keys, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def fetch(self, data, **environment):
        values = {
            "HARBOUR_SWIFT_SITE": self.url,
            "HARBOUR_SWIFT_KEYS": f"{self.url}/keys.asc",
            "HARBOUR_PRETEND_NO_SWIFT": "1",
            "HARBOUR_SWIFT_SIGNER": self.signer,
        }
        return setup(data, "--only", "swift", **{**values, **environment})

    def test_a_signed_one_is_installed(self):
        with tempfile.TemporaryDirectory() as data:
            answer = self.fetch(data)
            self.assertEqual(answer.returncode, 0, answer.stderr)
            self.assertTrue(os.path.exists(f"{data}/toolchain/swift-6.3.1/usr/bin/swift"))
            self.assertEqual(os.listdir(f"{data}/toolchain"), ["swift-6.3.1"])

    def test_another_signer_is_refused(self):
        with tempfile.TemporaryDirectory() as data:
            answer = self.fetch(data, HARBOUR_SWIFT_SIGNER="52BB7E3DE28A71BE22EC05FFEF80A866B47A981F")
            self.assertEqual(answer.returncode, 1)
            self.assertIn("not signed by Swift's release key", answer.stderr)
            self.assertFalse(os.path.exists(f"{data}/toolchain/swift-6.3.1"))

    def test_a_changed_one_is_refused(self):
        original = self.archive.read_bytes()
        self.archive.write_bytes(original + b"x")
        try:
            with tempfile.TemporaryDirectory() as data:
                answer = self.fetch(data)
        finally:
            self.archive.write_bytes(original)
        self.assertEqual(answer.returncode, 1)
        self.assertIn("not signed by Swift's release key", answer.stderr)

    def test_a_site_out_of_reach_is_said_first(self):
        with tempfile.TemporaryDirectory() as data:
            answer = self.fetch(data, HARBOUR_SWIFT_SITE="http://127.0.0.1:9")
        self.assertEqual(answer.returncode, 1)
        self.assertIn("Swift 6.3.1 is not installed and http://127.0.0.1:9 cannot be reached", answer.stderr)
        self.assertNotIn("Swift toolchain ...", answer.stdout)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        """Says nothing: the test says what matters."""


if __name__ == "__main__":
    unittest.main()
