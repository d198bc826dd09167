"""How long a search of many notebooks takes, what its text costs each save, and grep over the same notebooks as files.

    python3 Tests/Benchmarks/search/search.py BINARIES RUNTIME [NOTEBOOKS] [ROUNDS]

Starts a platform of its own from the built programs and saves notebooks of 20 cells in 100 folders, the same each time. One
word is in one cell, one in a hundredth of the notebooks, and one in every cell. Each search is one request for the first 20
results. `grep -rlFi` reads the same notebooks as files, which are in the page cache by then. Programs from before the search
are measured too: then there are only the saves.
"""

import base64
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Browser"))
from harbour import Platform, eventually  # noqa: E402

COUNT = int(sys.argv[3]) if len(sys.argv) > 3 else 10_000
ROUNDS = int(sys.argv[4]) if len(sys.argv) > 4 else 30
CELLS, SAVES = 20, 300
RARE, SOME, COMMON = "kaleidoscope", "barometer", "select("


def words(made):
    letters = "abcdefghijklmnopqrstuvwxyz"
    return ["".join(made.choices(letters, k=made.randint(3, 9))) for _ in range(5000)]


def notebooks(count):
    """Cells of ten lines of code each, of words as identifiers are."""
    made = random.Random(7)
    known = words(made)
    for number in range(count):
        cells = []
        for place in range(CELLS):
            lines = [f"{made.choice(known)}_{made.choice(known)} = {made.choice(known)}.select('{made.choice(known)}')"
                     for _ in range(10)]
            if number == count // 2 and place == 7:
                lines.append(f"# {RARE}")
            if number % 100 == 3 and place == 3:
                lines.append(f"# {SOME}")
            cells.append({"cell_type": "code", "id": f"c{place}", "metadata": {}, "execution_count": None,
                          "outputs": [], "source": "\n".join(lines)})
        yield f"/Shared/f{number % 100:02}/n{number:05}", cells


def document(cells):
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def spread(times):
    times = sorted(1000 * one for one in times)
    return f"{statistics.median(times):.1f} ms at the median, {times[len(times) * 9 // 10]:.1f} for 9 of 10"


def timed(action):
    begin = time.monotonic()
    action()
    return time.monotonic() - begin


def save(platform, number, revision, cells):
    return platform.call("PUT", f"/api/v1/notebooks/{number}",
                         {"base_revision_id": revision, "document": document(cells)})["revision_id"]


def saves(platform, made):
    """One cell of a notebook changed by each save, as an editor does."""
    samples = made[:: max(1, len(made) // SAVES)][:SAVES]
    edited, times = random.Random(11), []
    for number, revision, cells in samples:
        cells[4]["source"] += f"\nedited = {edited.random()}"
        times.append(timed(lambda: save(platform, number, revision, cells)))
    print(f"a save that changes one of {CELLS} cells: {spread(times)}")


def searches(platform, files):
    for name, query in (("in one cell", RARE), ("in a hundredth of the notebooks", SOME), ("in every cell", COMMON),
                        ("of two letters, everywhere", "se"), ("nowhere", "zyzzyva"), ("two words, one cell", f"{RARE} select"),
                        ("a name", "n00042")):
        target = f"/api/v1/workspace/search?query={urllib.parse.quote(query)}"
        results = platform.call("GET", target)["results"]
        times = [timed(lambda: platform.call("GET", target)) for _ in range(ROUNDS)]
        print(f"a word {name}: {len(results)} results, {spread(times)}")
    for query in (RARE, COMMON):
        times = [timed(lambda: subprocess.run(["grep", "-rlFi", query, files], stdout=subprocess.DEVNULL))
                 for _ in range(5)]
        print(f"grep -rlFi {query}: {spread(times)}")


def main():
    platform = Platform(sys.argv[1], "/nonexistent", sys.argv[2])
    files = tempfile.mkdtemp(prefix="harbour-search-")
    try:
        platform.up()
        made, begin = [], time.monotonic()
        for path, cells in notebooks(COUNT):
            text = json.dumps(document(cells))
            file = pathlib.Path(files + path + ".ipynb")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            info = platform.call("POST", "/api/v1/workspace/import", {
                "path": path, "content": base64.b64encode(text.encode()).decode(), "format": "JUPYTER"})
            made.append((info["object_id"], info["revision_id"], cells))
        print(f"{COUNT} notebooks saved in {time.monotonic() - begin:.0f} s, "
              f"{1000 * (time.monotonic() - begin) / COUNT:.2f} ms each")
        saves(platform, made)
        paths = json.dumps(platform.call("GET", "/openapi.json")["paths"])
        if "/workspace/search" in paths:
            searches(platform, files)
    finally:
        shutil.rmtree(files)
        platform.down()


if __name__ == "__main__":
    main()
