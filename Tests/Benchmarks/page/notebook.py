"""How long a large notebook takes to open in Chromium, and how smoothly it scrolls.

    python3 Tests/Benchmarks/page/notebook.py BINARIES PAGE RUNTIME [CELLS] [ROUNDS]

Starts a platform of its own from the built programs and opens a notebook of code, text, tables, printed lines, errors
and pictures in Debian's Chromium. Opening is measured from the click on its name in its folder to the first frame in
which the first cell is shown, and from there to the last long task of the page. Then it is scrolled from top to bottom
and back, a 300th of the height that it has at first in each frame; a frame of more than one and a half sixtieths of a
second is late. Needs playwright, as the browser tests do.
"""

import base64
import json
import os
import pathlib
import statistics
import struct
import sys
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Browser"))
from harbour import Platform  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

CELLS = int(sys.argv[4]) if len(sys.argv) > 4 else 500
ROUNDS = int(sys.argv[5]) if len(sys.argv) > 5 else 5
TABLE = "application/vnd.dataharbour.table+json"


def picture(size=160):
    """A picture as a plot is one."""
    rows = b"".join(b"\0" + bytes((x * y) % 251 for x in range(size)) for y in range(size))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows))
                            + chunk(b"IEND", b"")).decode()


def outputs(number, plot):
    kind = number % 5
    if kind == 0:
        columns = [{"name": f"c{column}", "type": "bigint"} for column in range(6)]
        table = {"columns": columns, "rows": [[row * column for column in range(6)] for row in range(50)],
                 "total_rows": 50, "truncated": False}
        return [{"output_type": "display_data", "metadata": {}, "data": {TABLE: table, "text/plain": "a table"}}]
    if kind == 1:
        text = "".join(f"line {line} of {number}\n" for line in range(40))
        return [{"output_type": "stream", "name": "stdout", "text": text}]
    if kind == 2:
        return [{"output_type": "display_data", "metadata": {}, "data": {"image/png": plot, "text/plain": "<Figure>"}}]
    if kind == 3:
        return [{"output_type": "error", "ename": "ValueError", "evalue": f"number {number}",
                 "traceback": [f"\x1b[31mValueError\x1b[0m line {n}" for n in range(12)]}]
    return [{"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": {"text/plain": "42"}}]


def document():
    plot = picture()
    cells = []
    for number in range(CELLS):
        if number % 6 == 5:
            cells.append({"cell_type": "markdown", "id": f"c{number}", "metadata": {},
                          "source": f"## Part {number}\n\nSome *text* with `code`, and a list:\n\n- one\n- two"})
            continue
        source = "\n".join(f"value_{line} = compute({number}, {line})  # a comment" for line in range(8))
        cells.append({"cell_type": "code", "id": f"c{number}", "metadata": {}, "source": source,
                      "execution_count": number, "outputs": outputs(number, plot)})
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


OPEN = """async (name) => {
  const long = [];
  const watch = new PerformanceObserver((list) => { for (const one of list.getEntries()) long.push(one); });
  watch.observe({ type: "longtask" });
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const begin = performance.now();
  [...document.querySelectorAll("td.name a")].find((one) => one.textContent.trim() === name).click();
  while (!document.querySelector("#cell-c0 .outputs")) await frame();
  await frame();
  const shown = performance.now();
  let quiet = performance.now();
  let seen = 0;
  while (performance.now() - quiet < 400) {
    await frame();
    if (long.length > seen) { seen = long.length; quiet = performance.now(); }
  }
  watch.disconnect();
  const last = Math.max(shown, ...long.map((one) => one.startTime + one.duration));
  return { shown: shown - begin, settled: last - begin, long: long.map((one) => Math.round(one.duration)),
           nodes: document.querySelectorAll("*").length };
}"""

SCROLL = """async () => {
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const times = [];
  let last = await frame();
  const step = async (by) => {
    scrollBy(0, by);
    const now = await frame();
    times.push(now - last);
    last = now;
  };
  const all = document.scrollingElement;
  const size = Math.max(60, Math.ceil(all.scrollHeight / 300));
  while (all.scrollTop + innerHeight < all.scrollHeight - 2) await step(size);
  const down = times.length;
  while (all.scrollTop > 0) await step(-size);
  const late = (part) => part.filter((one) => one > 1000 / 60 * 1.5).length;
  const sorted = [...times].sort((a, b) => a - b);
  return { frames: times.length, lateDown: late(times.slice(0, down)), down, lateUp: late(times.slice(down)),
           median: sorted[Math.floor(sorted.length / 2)], p99: sorted[Math.floor(sorted.length * 0.99)],
           longest: sorted[sorted.length - 1],
           step: size, height: all.scrollHeight, nodes: document.querySelectorAll("*").length };
}"""


def main():
    platform = Platform(sys.argv[1], sys.argv[2], sys.argv[3])
    platform.up()
    try:
        text = json.dumps(document())
        platform.call("POST", "/api/v1/workspace/import", {
            "path": "/Shared/large", "content": base64.b64encode(text.encode()).decode(), "format": "JUPYTER"})
        print(f"{CELLS} cells, {len(text) / 1024:.0f} KiB of .ipynb")
        with sync_playwright() as driver:
            browser = driver.chromium.launch(
                executable_path=os.environ.get("HARBOUR_CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"])
            page = browser.new_context(viewport={"width": 1360, "height": 850}).new_page()
            page.set_default_timeout(60_000)
            page.goto(platform.url + "/workspace/Shared")
            page.get_by_label("Sign-in token").fill(platform.token)
            page.get_by_label("Sign-in token").press("Enter")
            page.locator("td.name a").first.wait_for()
            opened = []
            for number in range(ROUNDS + 1):
                page.goto(platform.url + "/workspace/Shared")
                page.locator("td.name a").first.wait_for()
                found = page.evaluate(OPEN, "large")
                # The first time, the part of the page for notebooks is loaded as well.
                if number == 0:
                    print(f"first time: {found['shown']:.0f} ms to the first cells, {found['settled']:.0f} ms to rest",
                          flush=True)
                    continue
                opened.append(found)
                one = page.evaluate(SCROLL)
                print(f"open: {found['shown']:.0f} ms to the first cells, {found['settled']:.0f} ms to rest, "
                      f"{found['nodes']} elements, long tasks {found['long']}; scroll: {one['frames']} frames of "
                      f"{one['step']} px, median {one['median']:.1f} ms, 99 of 100 within {one['p99']:.1f} ms, "
                      f"longest {one['longest']:.0f} ms, late down {one['lateDown']} of {one['down']}, up "
                      f"{one['lateUp']}; {one['nodes']} elements then", flush=True)
            browser.close()
    finally:
        platform.down()
    shown = [one["shown"] for one in opened]
    settled = [one["settled"] for one in opened]
    print(f"median: {statistics.median(shown):.0f} ms to the first cells (from {min(shown):.0f} to {max(shown):.0f}), "
          f"{statistics.median(settled):.0f} ms to rest (from {min(settled):.0f} to {max(settled):.0f})")


if __name__ == "__main__":
    main()
