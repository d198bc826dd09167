"""Spark's own pages in real Chromium, on real Spark: they work, and can do nothing with the session of who looks at them."""

import json
import re
import unittest
import urllib.request

from harbour import PICTURES, Stage
from playwright.sync_api import expect

# What a stranger's script tries: the API, its own way out of the frame, and what the browser keeps.
TRIES = """async () => {
  const ask = (url, more) => fetch(url, more).then((answer) => answer.status, () => 'refused');
  const look = (what) => { try { return what(); } catch (error) { return error.name; } };
  const frame = () => new Promise((resolve) => {
    const made = document.createElement('iframe');
    made.onload = () => resolve(look(() => made.contentDocument?.title ?? 'refused'));
    made.src = '/';
    document.body.append(made);
  });
  return {
    origin: self.origin,
    me: await ask('/api/v1/me'),
    session: await ask('/api/v1/session', { credentials: 'include' }),
    change: await ask('/api/v1/workspace/mkdirs', { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{}' }),
    elsewhere: await ask('../../../clusters'),
    cookie: document.cookie,
    database: look(() => indexedDB.open('x') && 'opened'),
    worker: await look(() => navigator.serviceWorker?.register('static/jquery.min.js').then(() => 'registered', () => 'refused') ?? 'none'),
    frame: await frame(),
  };
}"""


def setUpModule():
    global stage, platform, page, address
    stage = Stage(cluster="spark")
    platform, page = stage.platform, stage.new_page()
    address = f"/api/v1/clusters/{stage.cluster}/spark-ui/"


def run(source):
    """Runs code on the cluster as somebody who uses it; what came of it, line by line."""
    contexts = f"/api/v1/clusters/{stage.cluster}/contexts"
    context = platform.call("POST", contexts, {"language": "python"})["context_id"]
    request = urllib.request.Request(
        f"{platform.url}{contexts}/{context}/commands/1/run", json.dumps({"source": source}).encode(),
        {"authorization": f"Bearer {platform.token}", "content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return [json.loads(line) for line in answer]


class SparkTests(unittest.TestCase):
    def tearDown(self):
        if self._outcome.result.failures or self._outcome.result.errors:
            page.screenshot(path=PICTURES / f"failed-{self._testMethodName}.png")

    def test_1_pages_work_in_an_origin_of_their_own(self):
        events = run("sc = spark.sparkContext\n"
            "sc.setJobDescription('<script>window.taken = 1</script><b>sums</b>')\n"
            "spark.range(1000).repartition(3).selectExpr('sum(id)').collect()")
        self.assertEqual([one for one in events if one["type"] == "ERROR"], [])
        stage.sign_in(page, f"/clusters/{stage.cluster}")
        with page.context.expect_page() as opened:
            page.get_by_role("link", name="Spark UI").click()
        spark = opened.value
        said, asked = [], []
        spark.on("request", lambda request: asked.append(request))
        spark.on("pageerror", lambda error: said.append(str(error)))
        spark.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
        expect(spark).to_have_url(re.compile(r"/spark/[\w-]+/spark-ui/jobs/$"))
        spark.reload()
        # The timeline is drawn by a script when it is unfolded, which it remembers.
        spark.locator(".expand-application-timeline").click()
        expect(spark.locator("#application-timeline .vis-item").first).to_be_visible()
        self.assertIsNone(spark.evaluate("window.taken ?? null"))
        spark.screenshot(path=PICTURES / "spark-jobs.png")
        # Links lead on, a table that a script fills is there, and so is a picture of the stages.
        spark.locator("a[href*='job/?id=']").first.press("Enter")
        expect(spark).to_have_url(re.compile(r"/spark-ui/jobs/job/\?id=\d+"))
        # Its scripts bind what can be clicked when all of it is there.
        spark.wait_for_load_state()
        spark.locator(".expand-dag-viz").click()
        expect(spark.locator("#dag-viz-graph svg").first).to_be_visible()
        spark.locator("a[href*='stage/?id=']").first.click()
        expect(spark.locator("#active-tasks-table tbody tr").first).to_contain_text("SUCCESS")
        spark.screenshot(path=PICTURES / "spark-stage.png")
        spark.get_by_role("link", name="Executors").click()
        expect(spark.locator("#active-executors-table tbody tr").first).to_contain_text("driver")
        self.assertEqual(said, [])
        parts = [one.all_headers() for one in asked if one.resource_type != "document"]
        self.assertGreater(len(parts), 20)
        self.assertEqual([one for one in parts if "cookie" in one or "authorization" in one], [])
        got = spark.evaluate(TRIES)
        self.assertNotEqual(got.pop("worker"), "registered")
        self.assertEqual(got, {
            "origin": "null", "me": "refused", "session": "refused", "change": "refused", "elsewhere": "refused",
            "cookie": "", "database": "SecurityError", "frame": "refused"})
        spark.close()

    def test_2_tickets_end(self):
        page.goto(platform.url + address + "executors/")
        ticket = re.search(r"/spark/([\w-]+)/", page.url).group(1)
        stranger = stage.new_page()
        answer = stranger.goto(page.url)
        self.assertEqual(answer.status, 200)
        stranger.goto(page.url.replace(ticket, ticket[::-1]))
        expect(stranger.locator("h1")).to_have_text("This address opens no pages of Spark's")
        # It ends with the session; who has signed in again gets another with one click.
        token = page.context.request.get(platform.url + "/api/v1/session").json()["csrf_token"]
        page.context.request.delete(platform.url + "/api/v1/session", headers={"x-csrf-token": token})
        page.reload()
        expect(page.locator("h1")).to_have_text("This address of Spark's pages has ended")
        self.assertEqual(stage.axe.run(page).response["violations"], [])
        page.screenshot(path=PICTURES / "spark-ended.png")
        again = stage.new_page(page.context)
        stage.sign_in(again, "/clusters")
        page.get_by_role("link", name="Open again").click()
        expect(page.locator("#active-executors-table tbody tr").first).to_contain_text("driver")
        self.assertNotIn(ticket, page.url)
        self.assertNotIn(ticket, platform.logs(lines=100_000))
