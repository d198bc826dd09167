"""A folder of 1,000 notebooks and a file of 200 MB out of the workspace as a zip archive and back into it, beside what
`zip` and Python's zipfile need for the same files on disk.

    python3 Tests/Benchmarks/archives/folder.py BINARIES RUNTIME [ROUNDS]

Starts a platform of its own from the built programs. The file is half text and half noise.
"""

import base64
import hashlib
import http.client
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Browser"))
from harbour import Platform  # noqa: E402

ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 else 3
NOTEBOOKS, FILE = 1000, 200 << 20
PYTHON = """
import pathlib, sys, zipfile
root = pathlib.Path(sys.argv[2])
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as archive:
    for path in sorted(root.rglob("*")):
        archive.write(path, path.relative_to(root))
"""


def notebook(number):
    cells = [
        {"cell_type": "code", "id": f"c{cell}", "metadata": {}, "outputs": [], "execution_count": None,
         "source": [f"value_{number}_{cell} = spark.table('sales').where('day = {line}').count()\n" for line in range(40)]}
        for cell in range(5)]
    return json.dumps({"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5})


def large():
    words = random.Random(1).choices(["harbour", "tide", "quay", "pilot", "42", "3.14", "2026-11-27"], k=1 << 18)
    text = (",".join(words).encode() + b"\n")[: 1 << 20]
    for number in range(FILE >> 20):
        yield hashlib.shake_128(str(number).encode()).digest(1 << 20) if number % 2 else text


def memory(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {field} is told")


class Door:
    def __init__(self, platform):
        self.connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=600)
        self.headers = {"authorization": f"Bearer {platform.token}"}

    def ask(self, method, path, body=None, **fields):
        self.connection.request(method, path, body, {**self.headers, **fields})
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {data[:500]}")
        return json.loads(data)

    def export(self, target):
        """How long it takes, and the size of the archive."""
        start = time.monotonic()
        self.connection.request("GET", "/api/v1/workspace/export-zip?path=/Shared/bench", headers=self.headers)
        answer = self.connection.getresponse()
        with open(target, "wb") as file:
            shutil.copyfileobj(answer, file, 1 << 20)
        return time.monotonic() - start

    def upload(self, path, source, size):
        upload = self.ask(
            "POST", "/api/v1/files/uploads", json.dumps({"path": path, "size": size}),
            **{"content-type": "application/json"})
        self.ask(
            "PUT", f"/api/v1/files/uploads/{upload['upload_id']}?offset=0", source,
            **{"content-type": "application/octet-stream", "content-length": str(size)})
        return upload["upload_id"]

    def unpack(self, archive, folder):
        with open(archive, "rb") as file:
            upload = self.upload("/Shared/bench.zip", file, os.path.getsize(archive))
        start = time.monotonic()
        done = self.ask(
            "POST", "/api/v1/workspace/import-zip", json.dumps({"upload_id": upload, "path": folder}),
            **{"content-type": "application/json"})
        assert (done["notebooks"], done["files"]) == (NOTEBOOKS, 1), done
        return time.monotonic() - start


def timed(*command, **options):
    """How long a command takes, and its most memory in MiB."""
    start = time.monotonic()
    child = subprocess.Popen(command, **options)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise RuntimeError(f"{command} failed")
    return time.monotonic() - start, usage.ru_maxrss / 1024


def main():
    platform = Platform(sys.argv[1], os.environ.get("HARBOUR_PAGE", "/nonexistent"), sys.argv[2])
    try:
        platform.up()
        words = [line.split() for line in platform.harbour("status").splitlines()]
        pid = next(int(line[2]) for line in words if line and line[0] == "workspace")
        door, disk = Door(platform), platform.folder / "disk"
        disk.mkdir()
        size = 0
        for number in range(NOTEBOOKS):
            text = notebook(number)
            size += len(text)
            (disk / f"n{number:04}.ipynb").write_text(text)
            door.ask(
                "POST", "/api/v1/workspace/import",
                json.dumps({
                    "path": f"/Shared/bench/n{number:04}", "format": "JUPYTER",
                    "content": base64.b64encode(text.encode()).decode()}),
                **{"content-type": "application/json"})
        with (disk / "large.bin").open("wb") as file:
            file.writelines(large())
        size += FILE
        with (disk / "large.bin").open("rb") as file:
            id = door.upload("/Shared/bench/large.bin", file, FILE)
        door.ask("POST", f"/api/v1/files/uploads/{id}/complete", "{}", **{"content-type": "application/json"})
        before = memory(pid, "VmRSS")
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")
        ours, zips, pythons, unpacked = [], [], [], []
        made = platform.folder / "made.zip"
        for number in range(ROUNDS):
            ours.append(door.export(made))
            peak = memory(pid, "VmHWM")
            for name, times, command in (
                    ("zip", zips, ["zip", "-qr", platform.folder / "zip.zip", "."]),
                    ("python", pythons, [sys.executable, "-c", PYTHON, platform.folder / "python.zip", "."])):
                (platform.folder / f"{name}.zip").unlink(missing_ok=True)
                times.append(timed(*command, cwd=disk))
        timed("unzip", "-tq", made, stdout=subprocess.DEVNULL)
        for number in range(ROUNDS):
            unpacked.append(door.unpack(made, f"/Shared/back{number}"))
        whole = memory(pid, "VmHWM")
        rate = lambda times: size / 1e6 / statistics.median(times)
        print(f"{size / 1e6:.0f} MB, medians of {ROUNDS}; archives of "
              + ", ".join(f"{os.path.getsize(platform.folder / f'{name}.zip') / 1e6:.1f}" for name in ("made", "zip", "python")) + " MB")
        print(f"export: {rate(ours):.0f} MB/s, memory {before:.0f} -> at most {peak:.0f} MiB")
        print(f"import: {rate(unpacked):.0f} MB/s, at most {whole:.0f} MiB")
        for name, times in (("zip", zips), ("zipfile", pythons)):
            print(f"{name}: {rate([one[0] for one in times]):.0f} MB/s, {max(one[1] for one in times):.0f} MiB")
    finally:
        platform.down()


main()
