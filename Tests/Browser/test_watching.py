"""What is watched in a real Chromium: services that start, logs that are followed, charts. The settings are those of test_page.py."""

import pathlib
import unittest

from harbour import PICTURES, Stage, eventually
from looks import look
from playwright.sync_api import expect

#: The log of a cluster comes from the test: `writeLog(count)` adds so many lines. To whoever asks again, something of what was asked
#: for before comes first.
LOG = """const send = WebSocket.prototype.send;
const topic = "clusters/c-logs/logs";
let sequence = 0;
WebSocket.prototype.send = function (text) {
    const request = JSON.parse(text);
    if (request.topic !== topic) return send.call(this, text);
    if (request.type !== "SUBSCRIBE") return undefined;
    const tell = (message) => this.onmessage(new MessageEvent("message", { data: JSON.stringify({ topic, ...message }) }));
    const write = () => {
        sequence += 1;
        tell({ type: "EVENT", sequence, log: { sequence, timestamp: sequence, source: "driver", text: `line ${sequence}` } });
    };
    if (sequence > 0) {
        write();
        tell({ type: "ENDED" });
    }
    sequence = 0;
    tell({ type: "SUBSCRIBED", sequence });
    window.writeLog = (count) => { for (let line = 0; line < count; line += 1) write(); };
    return undefined;
};"""
#: A browser opens so many connections to one server, for all of its tabs.
CONNECTIONS = 6


def setUpModule():
    global stage, platform, page
    stage = Stage()
    platform, page = stage.platform, stage.new_page()
    stage.sign_in(page, "/")


class WatchingTests(unittest.TestCase):
    def setUp(self):
        stage.said.clear()

    def tearDown(self):
        if self._outcome.result.failures or self._outcome.result.errors:
            page.screenshot(path=PICTURES / f"failed-{self._testMethodName}.png")
        self.assertEqual(stage.said, [])

    def look(self, name):
        look(self, page, stage.axe, PICTURES / name)

    def test_services_that_start(self):
        """What has not answered yet is starting, not down, and is looked at again soon."""
        starting = 2

        def some_start(route):
            body = platform.call("GET", "/api/v1/monitoring/services")
            for target in body["targets"][:starting]:
                target["health"] = "UNKNOWN"
            route.fulfill(json=body)

        page.route("**/api/v1/monitoring/services", some_start)
        page.goto(platform.url)
        tile = page.locator(".tile", has_text="Services up")
        expect(tile).to_contain_text("watched, 2 starting")
        badges = page.locator(".list .badge", has_text="Starting")
        expect(badges).to_have_count(2)
        self.look("home-starting")
        starting = 0
        expect(tile).not_to_contain_text("starting")
        expect(badges).to_have_count(0)
        page.unroute("**/api/v1/monitoring/services")

    def test_logs_are_followed(self):
        """The end stays in sight until somebody scrolls up; what is not there any more is said, and what is there is saved."""
        one = stage.new_page(stage.new_context())
        one.add_init_script(LOG)
        one.route("**/api/v1/clusters/c-logs", lambda route: route.fulfill(json={
            "cluster_id": "c-logs", "spec": {"cluster_name": "quiet"}, "state": "TERMINATED", "backend": "local",
            "creator_user_name": "admin", "start_time": 1}))
        stage.sign_in(one, "/clusters/c-logs?tab=logs")
        log, to_end = one.get_by_role("log"), one.get_by_role("button", name="To the end")
        # How much of the box is below what is seen.
        below = "(box) => box.scrollHeight - box.scrollTop - box.clientHeight"

        def write_log(count):
            one.evaluate("(count) => writeLog(count)", count)

        def at_end(last):
            expect(log.locator("div").last).to_have_text(last)
            eventually("the end is seen", lambda: log.evaluate(below) < 2)
            expect(to_end).to_have_count(0)

        eventually("the page reads the log", lambda: one.evaluate("typeof writeLog") == "function")
        write_log(200)
        at_end("line 200")
        write_log(50)
        at_end("line 250")
        expect(one.get_by_text("left out")).to_have_count(0)
        log.evaluate("(box) => { box.scrollTop = 300; }")
        expect(to_end).to_be_visible()
        write_log(50)
        expect(log.locator("div").last).to_have_text("line 300")
        self.assertEqual(log.evaluate("(box) => box.scrollTop"), 300)
        look(self, one, stage.axe, PICTURES / "cluster-logs-up")
        to_end.click()
        at_end("line 300")
        write_log(3000)
        at_end("line 3300")
        expect(one.get_by_text("These are the last 3,000 lines; 300 older ones are left out.")).to_be_visible()
        expect(log.locator("div")).to_have_count(3000)
        with one.expect_download() as download:
            one.get_by_role("button", name="Download").click()
        lines = pathlib.Path(download.value.path()).read_text().splitlines()
        self.assertEqual((lines[0], lines[-1], len(lines)), ("line 301", "line 3300", 3000))
        self.assertEqual(download.value.suggested_filename, "quiet.log")
        one.get_by_placeholder("Filter").fill("line 3300")
        expect(log.locator("div")).to_have_count(1)
        self.assertIn("lines=line+3300", one.url)
        one.get_by_placeholder("Filter").fill("")
        one.get_by_role("tab", name="Overview").click()
        expect(log).to_have_count(0)
        one.get_by_role("tab", name="Logs").click()
        expect(one.get_by_text("live", exact=True)).to_be_visible()
        write_log(3)
        expect(log.locator("div")).to_have_text(["line 1", "line 2", "line 3"])
        # Who is signed out elsewhere is told, though nothing is asked for here.
        other = stage.new_page(one.context)
        other.goto(platform.url)
        other.get_by_role("button", name="Sign out").click()
        expect(other.get_by_label("Sign-in token")).to_be_visible()
        expect(one.get_by_label("Sign-in token")).to_be_visible()
        one.context.close()

    def test_a_run_that_has_ended_stays_so(self):
        """Its end can be told of before it is answered that it is being cancelled."""
        run = self.long_run()
        one, held = stage.new_page(page.context), []
        one.route(f"**/api/v1/runs/{run}/cancel", lambda route: held.append((route, route.fetch())))
        one.goto(f"{platform.url}/runs/{run}")
        state = platform.call("GET", f"/api/v1/runs/{run}")["state"]
        self.assertNotEqual(state["life_cycle_state"], "TERMINATED")
        one.get_by_role("button", name="Cancel").click()
        eventually("the answer", lambda: one.title() and held)
        expect(one.locator(".heading .badge")).to_have_text("Canceled")
        (route, answer), = held
        route.fulfill(json={**answer.json(), "state": state})
        expect(one.get_by_text("The run is being cancelled.")).to_be_visible()
        # Asked and answered after it, and drawn.
        one.evaluate("fetch('/api/v1/me').then(() => new Promise((drawn) => setTimeout(drawn)))")
        self.assertEqual(one.locator(".heading .badge").inner_text(), "Canceled")
        one.close()

    def test_many_tabs_watch(self):
        """What is live takes none of the connections that all tabs share."""
        run = self.long_run()

        def made():
            attempts = platform.call("GET", f"/api/v1/runs/{run}")["tasks"][0]["attempts"]
            return attempts and attempts[-1].get("cluster_id")

        cluster = eventually("it has a cluster", made)
        eventually("its cluster runs", lambda: platform.call("GET", f"/api/v1/clusters/{cluster}")["state"] == "RUNNING")
        tabs = [stage.new_page(page.context) for _ in range(CONNECTIONS + 1)]
        for tab in tabs:
            tab.goto(f"{platform.url}/runs/{run}")
            expect(tab.locator("main")).to_contain_text("has begun")
        tabs[0].goto(f"{platform.url}/clusters/{cluster}?tab=logs")
        expect(tabs[0].locator(".heading .badge")).to_have_text("Running")
        expect(tabs[0].get_by_role("log").locator("div").first).to_be_visible()
        expect(tabs[0].get_by_text("live", exact=True)).to_be_visible()
        platform.call("POST", f"/api/v1/runs/{run}/cancel")
        for tab in tabs[1:]:
            expect(tab.locator(".heading .badge")).to_have_text("Canceled")
        # Its cluster goes with it, and so the end of its log is known.
        expect(tabs[0].get_by_text("live", exact=True)).to_have_count(0)
        expect(tabs[0].locator(".heading .badge")).to_have_text("Terminated")
        for tab in tabs:
            tab.close()

    @staticmethod
    def long_run():
        platform.notebook("/Shared/long", ["print('it', 'has', 'begun')", "import time", "time.sleep(3600)"])
        return platform.call("POST", "/api/v1/runs/submit", {
            "run_name": "long", "tasks": [{
                "task_key": "main", "new_cluster": {"cluster_name": "long"}, "notebook_task": {"notebook_path": "/Shared/long"}}]})["run_id"]

    def test_charts_have_round_times_at_their_places(self):
        """Times are where they are, not evenly spread; and of what is counted there are no parts."""
        one = stage.new_page(stage.new_context(
            storage_state=page.context.storage_state(), locale="en-GB", timezone_id="Asia/Kolkata"))
        # 13:07:25 in Kolkata.
        end = 1_790_000_000_000 // 86_400_000 * 86_400_000 + ((7 * 60 + 37) * 60 + 25) * 1000
        samples = [{"timestamp": end - 15_000 * number, "value": 1} for number in reversed(range(300))]
        one.route("**/api/v1/monitoring/metrics/history*", lambda route: route.fulfill(json={
            "series": [{"name": "measured", "labels": {"state": "RUNNING", "job": "cluster"}, "samples": samples}]}))
        one.goto(f"{platform.url}/monitoring?span=1h")
        chart = one.locator(".card", has=one.get_by_role("heading", name="Clusters"))
        times = chart.locator("svg .chart-time")
        expect(times).to_have_text(["12:10", "12:20", "12:30", "12:40", "12:50", "13:00"])
        for label, place in times.evaluate_all("(all) => all.map((one) => [one.textContent, Number(one.getAttribute('x'))])"):
            hours, minutes = map(int, label.split(":"))
            before = ((13 - hours) * 60 + 7 - minutes) * 60 + 25
            self.assertAlmostEqual(place, 554 - before / 3600 * 496, delta=0.1, msg=label)
        expect(chart.locator("svg text:not(.chart-time)")).to_have_text(["0", "1"])
        look(self, one, stage.axe, PICTURES / "monitoring-charts")
        one.context.close()


if __name__ == "__main__":
    unittest.main(failfast=True)
