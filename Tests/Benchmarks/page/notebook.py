"""How long a large notebook takes to open in Chromium, and how smoothly it scrolls.

    python3 Tests/Benchmarks/page/notebook.py BINARIES PAGE RUNTIME [CELLS] [ROUNDS]

Starts a platform of its own from the built programs and opens a notebook of code, text, tables, printed lines, errors
and pictures in Debian's Chromium. Opening is measured from the click on its name in its folder to the first frame in
which the first cell is shown, and from there to the last long task of the page. Then it is scrolled from top to bottom
and back, 208 pixels in each frame, which is 12,500 a second; a frame of more than one and a half sixtieths of a second is
late.

In turns with it the same is done with its peer: the page as it is after the first scroll, with all cells made, as plain
HTML without any script. What is late there is Chromium's and the machine's. On a busy machine compare what does not depend
on others: processor time of the page's main thread, layouts and style calculations for each frame.

HARBOUR_PAGE_BEFORE names another build of the page that takes turns as well. Needs playwright, as the browser tests do.
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
from harbour import Platform, SIZE  # noqa: E402
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
  while (all.scrollTop + innerHeight < all.scrollHeight - 2) await step(208);
  const down = times.length;
  while (all.scrollTop > 0) await step(-208);
  const late = (part) => part.filter((one) => one > 1000 / 60 * 1.5).length;
  const sorted = [...times].sort((a, b) => a - b);
  return { frames: times.length, lateDown: late(times.slice(0, down)), down, lateUp: late(times.slice(down)),
           median: sorted[Math.floor(sorted.length / 2)], p99: sorted[Math.floor(sorted.length * 0.99)],
           longest: sorted[sorted.length - 1],
           height: all.scrollHeight, nodes: document.querySelectorAll("*").length };
}"""

PEER = """async () => {
  let rules = "";
  for (const one of document.querySelectorAll("link[rel=stylesheet]")) rules += await (await fetch(one.href)).text();
  const copy = document.documentElement.cloneNode(true);
  for (const one of copy.querySelectorAll("script, link")) one.remove();
  const style = document.createElement("style");
  style.textContent = rules;
  copy.querySelector("head").append(style);
  return "<!doctype html>" + copy.outerHTML;
}"""


def scroll(page):
    """Scrolls down and back, and counts what the main thread of the page does meanwhile for each frame."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def counted():
        return {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}

    before = counted()
    found = page.evaluate(SCROLL)
    after = counted()
    session.detach()
    for name, key, factor in (("main", "TaskDuration", 1000), ("script", "ScriptDuration", 1000), ("layout", "LayoutDuration", 1000),
                              ("style", "RecalcStyleDuration", 1000), ("layouts", "LayoutCount", 1), ("styles", "RecalcStyleCount", 1)):
        found[name] = (after[key] - before[key]) * factor / found["frames"]
    return found


def told(name, one):
    print(f"{name}: {one['frames']} frames, median {one['median']:.1f} ms, 99 of 100 within {one['p99']:.1f} ms, longest "
          f"{one['longest']:.0f} ms, late down {one['lateDown']} of {one['down']}, up {one['lateUp']}; for each frame {one['main']:.2f} ms "
          f"of the main thread (script {one['script']:.2f}, style {one['style']:.2f}, layout {one['layout']:.2f}), {one['styles']:.2f} "
          f"style calculations, {one['layouts']:.2f} layouts; {one['nodes']} elements then", flush=True)


class Subject:
    """A build of the page on a platform of its own, with the notebook opened again and again."""

    def __init__(self, browser, binaries, page, runtime, text):
        self.platform = Platform(binaries, page, runtime)
        self.platform.up()
        self.platform.call("POST", "/api/v1/workspace/import", {
            "path": "/Shared/large", "content": base64.b64encode(text.encode()).decode(), "format": "JUPYTER"})
        self.page = browser.new_context(viewport=SIZE).new_page()
        self.page.set_default_timeout(120_000)
        self.page.goto(self.platform.url + "/workspace/Shared")
        self.page.get_by_label("Sign-in token").fill(self.platform.token)
        self.page.get_by_label("Sign-in token").press("Enter")
        self.page.locator("td.name a").first.wait_for()
        self.opened = []
        self.scrolled = []

    def open(self):
        self.page.goto(self.platform.url + "/workspace/Shared")
        self.page.locator("td.name a").first.wait_for()
        return self.page.evaluate(OPEN, "large")

    def measure(self, name):
        found = self.open()
        self.opened.append(found)
        print(f"{name}: {found['shown']:.0f} ms to the first cells, {found['settled']:.0f} ms to rest, "
              f"{found['nodes']} elements, long tasks {found['long']}", flush=True)
        self.scrolled.append(scroll(self.page))
        told(name, self.scrolled[-1])
        # Nothing of it may be left to be done while another is measured.
        self.page.goto("about:blank")


def peer_of(browser, html):
    """Scrolls the notebook as plain HTML, in a page of its own."""
    context = browser.new_context(viewport=SIZE)
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.route("http://peer.test/", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto("http://peer.test/")
    page.evaluate("new Promise((resolve) => requestIdleCallback(resolve))")
    found = scroll(page)
    context.close()
    return found


def summary(name, rounds, peer):
    def middle(of, key):
        return statistics.median(one[key] for one in of)

    late = (sum(one["lateDown"] for one in rounds) + 1) / (sum(one["lateDown"] for one in peer) + 1)
    print(f"{name}: late down {middle(rounds, 'lateDown'):.0f}, up {middle(rounds, 'lateUp'):.0f} in the median; {middle(rounds, 'main'):.2f} ms of "
          f"the main thread a frame, {middle(rounds, 'styles'):.2f} style calculations, {middle(rounds, 'layouts'):.2f} layouts; "
          f"to its peer: late down {late:.2f}, main thread {middle(rounds, 'main') / middle(peer, 'main'):.2f}")


def main():
    text = json.dumps(document())
    print(f"{CELLS} cells, {len(text) / 1024:.0f} KiB of .ipynb")
    pages = {"ours": sys.argv[2]}
    if "HARBOUR_PAGE_BEFORE" in os.environ:
        pages["before"] = os.environ["HARBOUR_PAGE_BEFORE"]
    subjects = {}
    peer = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=os.environ.get("HARBOUR_CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"])
        try:
            for name, page in pages.items():
                subjects[name] = Subject(browser, sys.argv[1], page, sys.argv[3], text)
                # The first time, the part of the page for notebooks is loaded as well.
                found = subjects[name].open()
                print(f"{name}, first time: {found['shown']:.0f} ms to the first cells, {found['settled']:.0f} ms to rest", flush=True)
            scroll(subjects["ours"].page)
            html = subjects["ours"].page.evaluate(PEER)
            for _ in range(ROUNDS):
                for name, subject in subjects.items():
                    subject.measure(name)
                peer.append(peer_of(browser, html))
                told("peer", peer[-1])
        finally:
            browser.close()
            for subject in subjects.values():
                subject.platform.down()
    for name, subject in subjects.items():
        shown = [one["shown"] for one in subject.opened]
        print(f"{name}: {statistics.median(shown):.0f} ms to the first cells in the median (from {min(shown):.0f} to {max(shown):.0f})")
        summary(name, subject.scrolled, peer)
    summary("peer", peer, peer)


if __name__ == "__main__":
    main()
