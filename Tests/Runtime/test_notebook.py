"""Kernels on one running Spark, spoken to as the driver does."""

import os
import tempfile
import unittest

from support import Host, Kernel, wait_until

EXIT = "application/vnd.dataharbour.exit+json"
ENDLESS = "spark.range(10**13).selectExpr('sum(id % 7)').collect()"


def setUpModule():
    global host, first, second
    host = Host(master="local[2]").start()
    first, second = Kernel(host), Kernel(host)
    for kernel in (first, second):
        kernel.run("from harbour_runtime.link import link; link.wait()")  # What follows is a warm attach.
    first.attach("context-1", {"name": "value"}, {"earlier": {"rows": 3}})
    second.attach("context-2")
    total = host.ready["seconds"]["total"]
    print(
        f"\nspark ready {total:.1f} s (archive: {host.ready['archive']}), kernel ready {second.ready_seconds:.2f} s, "
        f"attach of a warm kernel {second.attach_seconds * 1000:.0f} ms"
    )


def tearDownModule():
    for each in (first, second, host):
        each.close()


class Contexts(unittest.TestCase):
    def value(self, kernel, code):
        result = kernel.run(code)
        self.assertEqual(result.reply["status"], "ok", result.reply)
        return eval(result.data("text/plain")[-1])

    def test_attach_is_quick_and_happens_once(self):
        self.assertLess(second.attach_seconds, 1)
        reply = second.attach("context-3").reply
        self.assertEqual((reply["status"], reply["ename"]), ("error", "AlreadyAttached"))

    def test_one_application_two_sessions(self):
        self.assertEqual(self.value(first, "sc.applicationId"), host.ready["application_id"])
        self.assertEqual(self.value(second, "sc.applicationId"), host.ready["application_id"])
        first.run("x = 1; spark.range(3).createOrReplaceTempView('mine')")
        self.assertEqual(self.value(first, "sql('select * from mine').count()"), 3)
        result = second.run("select * from mine", language="sql")
        self.assertEqual(result.error_metadata["error_class"], "TABLE_OR_VIEW_NOT_FOUND")
        self.assertEqual(second.run("x").reply["ename"], "NameError")
        first.run("spark.conf.set('spark.sql.shuffle.partitions', 7)")
        self.assertNotEqual(self.value(second, "spark.conf.get('spark.sql.shuffle.partitions')"), "7")

    def test_get_or_create_gives_the_shared_session_and_stop_does_not_stop_it(self):
        code = "from pyspark.sql import SparkSession; SparkSession.builder.getOrCreate() is spark"
        self.assertTrue(self.value(first, code))
        self.assertIn("shared", first.run("spark.stop(); sc.stop()").text)
        self.assertEqual(self.value(first, "spark.range(2).count()"), 2)

    def test_python_functions_and_callbacks_of_two_kernels(self):
        code = (
            "from pyspark.sql.functions import udf\nimport os\n"
            "rows = []\n"
            "def take(frame, batch): rows.extend(row.value for row in frame.collect())\n"
            "q = spark.readStream.format('rate-micro-batch').option('rowsPerBatch', 3).load()"
            ".writeStream.trigger(once=True).foreachBatch(take).start()\n"
            "q.awaitTermination()\n"
            "len(rows), spark.range(3).select(udf(lambda v: v * 2, 'long')('id')).collect()[2][0]"
        )
        for kernel in (first, second):
            self.assertEqual(self.value(kernel, code), (3, 4))

    def test_utilities(self):
        self.assertEqual(self.value(first, "dbutils.widgets.get('name')"), "value")
        first.run("dbutils.widgets.text('other', 'default')")
        self.assertEqual(self.value(first, "dbutils.widgets.get('other')"), "default")
        self.assertEqual(first.run("dbutils.widgets.get('missing')").reply["ename"], "KeyError")
        self.assertEqual(self.value(first, "dbutils.jobs.taskValues.get('earlier', 'rows')"), 3)
        left = first.run("dbutils.jobs.taskValues.set('n', [1])").data("application/vnd.dataharbour.task-value+json")
        self.assertEqual(left, [{"key": "n", "value": [1]}])

    def test_exit_ends_the_cell_without_an_error(self):
        code = "try:\n    dbutils.notebook.exit('result')\nexcept Exception:\n    pass\nprint('not reached')"
        result = first.run(code)
        self.assertEqual(
            (result.reply["status"], result.data(EXIT), result.text, result.error),
            ("ok", [{"value": "result"}], "", None),
        )

    def test_host_answers(self):
        stats = host.ask(op="stats", id="x")
        self.assertEqual((stats["event"], stats["id"], stats["kernels"]), ("stats", "x", 2))
        self.assertGreater(stats["heap_max"], 0)
        self.assertEqual(host.ask(op="fly", id=1)["event"], "refused")
        host.process.stdin.write("not json\n")
        host.process.stdin.flush()
        self.assertEqual(host.expect("refused")["id"], None)


class Results(unittest.TestCase):
    def test_sql_kinds(self):
        text = (
            "select 1 a, date'2024-01-01' d, timestamp'2024-01-01 10:00:00.5' t, double('NaN') n, "
            "cast(1.1 as decimal(10,2)) e, X'0102' b, array(1) r, map('k', 1) m, named_struct('x', null) s, "
            "9007199254740993L big, null v, 2 a"
        )
        first.run("spark.conf.set('spark.sql.session.timeZone', 'Asia/Tokyo')")
        result = first.run(text, language="sql")
        first.run("spark.conf.unset('spark.sql.session.timeZone')")
        self.assertEqual(
            result.table["rows"],
            [
                [
                    1,
                    "2024-01-01",
                    "2024-01-01T10:00:00.500000+09:00",
                    "NaN",
                    "1.10",
                    "AQI=",
                    [1],
                    {"k": 1},
                    {"x": None},
                    "9007199254740993",
                    None,
                    2,
                ]
            ],
        )
        self.assertEqual([column["name"] for column in result.table["columns"]][-1], "a")
        self.assertIn("text/html", result.outputs[-1])
        self.assertIn("text/plain", result.outputs[-1])

    def test_several_statements_and_parameters(self):
        result = first.run("%sql\ncreate or replace temp view v as select 1 a; -- x;y\nselect a, :name b from v;")
        self.assertEqual(result.table["rows"], [[1, "value"]])
        self.assertEqual(first.run("_sqldf.columns").data("text/plain"), ["['a', 'b']"])

    def test_widgets_in_sql(self):
        result = first.run(
            "CREATE WIDGET DROPDOWN city DEFAULT 'Rome' CHOICES SELECT * FROM VALUES ('Oslo'), ('Rome');\n"
            "SELECT :city AS city",
            language="sql",
        )
        self.assertEqual(result.table["rows"], [["Rome"]])
        told = result.data("application/vnd.dataharbour.widgets+json")
        self.assertEqual(told[0]["declared"][0]["choices"], ["Oslo", "Rome"])
        kept = [{**told[0]["declared"][0], "value": "Oslo"}]
        self.assertEqual(first.run("SELECT :city", language="sql", widgets=kept).table["rows"], [["Oslo"]])
        error = first.run("CREATE WIDGET DROPDOWN city DEFAULT 'x' CHOICES SELECT nope", language="sql")
        self.assertEqual(error.error_metadata["error_class"], "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION")
        self.assertEqual(first.run("REMOVE WIDGET city", language="sql").reply["status"], "ok")
        told = first.run(
            "CREATE WIDGET DROPDOWN flag DEFAULT 'true'"
            " CHOICES SELECT a AS `x.y`, a AS `x.y` FROM VALUES (true), (false) AS t(a) ORDER BY a",
            language="sql")
        told = told.data("application/vnd.dataharbour.widgets+json")
        self.assertEqual(told[0]["declared"][0]["choices"], ["false", "true"])
        self.assertEqual(first.run("REMOVE WIDGET flag", language="sql").reply["status"], "ok")

    def asked(self, kernel, text, kind="complete", language="sql"):
        """What the kernel says to code that is being written, where the cursor is the |."""
        place = text.index("|")
        content = {"code": text.replace("|", ""), "cursor_pos": place}
        message = kernel.client.session.msg(
            f"{kind}_request", content, metadata={"dataharbour": {"language": language}})
        kernel.client.shell_channel.send(message)
        reply = kernel.client.get_shell_msg(timeout=90)
        self.assertEqual(reply["parent_header"]["msg_id"], message["header"]["msg_id"])
        return reply["content"]

    def test_sql_is_completed(self):
        first.run("create or replace temp view ships as select 1 as tonnage, 'x' as `home port`", language="sql")

        def ways(text):
            reply = self.asked(first, text)
            types = {one["text"]: one["type"] for one in reply["metadata"]["_jupyter_types_experimental"]}
            self.assertEqual(list(types), reply["matches"])
            self.assertEqual(reply["cursor_end"], text.index("|"))
            return text[reply["cursor_start"] : reply["cursor_end"]], types

        self.assertEqual(ways("SELECT * FROM shi|"), ("shi", {"ships": "table"}))
        self.assertEqual(ways("SELECT ton| FROM ships"), ("ton", {"tonnage": "column"}))
        self.assertEqual(ways("SELECT s.| FROM ships AS s"), ("", {"tonnage": "column", "`home port`": "column"}))
        self.assertEqual(ways("SELECT 1 AS a, '😀' AS b F|")[1].get("FROM"), "keyword")
        self.assertEqual(ways("SELECT * FROM def|")[1], {"default": "schema"})
        self.assertEqual(ways("SELECT 'ton|' FROM ships")[1], {})
        self.assertEqual(ways("SELECT x.| FROM ships")[1], {})
        # Another session does not have the view.
        self.assertEqual(self.asked(second, "SELECT * FROM shi|")["matches"], [])
        told = self.asked(first, "SELECT * FROM sh|ips", "inspect")
        self.assertEqual(told["data"]["text/plain"], "ships\n    tonnage: int\n    home port: string")
        told = self.asked(first, "SELECT coun|t(1)", "inspect")
        self.assertIn("Usage", told["data"]["text/plain"])
        self.assertFalse(self.asked(first, "SELECT nothing|_known", "inspect")["found"])

    def test_python_is_completed_by_ipython(self):
        first.run("table_of_ships = spark.range(3)")
        reply = self.asked(first, "table_of_|", language="python")
        self.assertEqual(reply["matches"], ["table_of_ships"])
        self.assertEqual(
            [one.lstrip(".") for one in self.asked(first, "table_of_ships.createT|", language="python")["matches"]],
            ["createTempView"])

    def test_caps(self):
        table = first.run("display(spark.range(5000))").table
        self.assertEqual((len(table["rows"]), table["truncated"], table["total_rows"]), (1000, True, None))
        table = first.run("spark.range(5)", max_rows=2).table
        self.assertEqual((len(table["rows"]), table["truncated"]), (2, True))
        table = first.run("spark.range(5)").table
        self.assertEqual((len(table["rows"]), table["truncated"], table["total_rows"]), (5, False, 5))

    def test_errors_are_short(self):
        result = first.run("select\n  nope from range(1)", language="sql")
        self.assertEqual(result.reply["ename"], "SqlError")
        self.assertEqual(len(result.error["traceback"]), 1)
        metadata = result.error_metadata
        self.assertEqual(
            (metadata["error_class"], metadata["sql_state"], metadata["line"], metadata["position"]),
            ("UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703", 2, 2),
        )
        self.assertGreater(len(metadata["full_traceback"]), 5)
        result = first.run("select 1/0", language="sql")
        self.assertEqual((result.reply["ename"], result.error_metadata["error_class"]), ("SqlError", "DIVIDE_BY_ZERO"))
        self.assertEqual(first.run("selec 1", language="sql").error_metadata["error_class"], "PARSE_SYNTAX_ERROR")

    def test_python_errors_show_the_users_frames(self):
        result = first.run("def f():\n    spark.read.parquet('/nope')\nf()")
        shown = "\n".join(result.error["traceback"])
        self.assertEqual(result.error_metadata["error_class"], "PATH_NOT_FOUND")
        self.assertIn("in f()", shown)
        self.assertNotIn("site-packages", shown)
        self.assertNotIn("\tat ", shown)
        self.assertEqual(result.reply["evalue"], result.error["evalue"])
        # Also of what led to an error.
        code = "try:\n    f()\nexcept Exception as error:\n    raise ValueError('no data') from error"
        result = first.run(code)
        shown = "\n".join(result.error["traceback"])
        self.assertIn("AnalysisException", shown)
        self.assertNotIn("site-packages", shown)
        self.assertIn("site-packages", "\n".join(result.error_metadata["full_traceback"]))
        code = "from pyspark.sql.functions import udf\nspark.range(1).select(udf(lambda v: 1/0)('id')).collect()"
        self.assertIn("ZeroDivisionError", first.run(code).error["evalue"])

    def test_plot_html_and_markdown(self):
        self.assertTrue(first.run("import matplotlib.pyplot as plt\nplt.plot([1, 2]);").data("image/png"))
        self.assertEqual(first.run("displayHTML('<b>x</b>')").data("text/html"), ["<b>x</b>"])
        self.assertEqual(first.run("# Title", language="markdown").data("text/markdown"), ["# Title"])

    def test_shell(self):
        result = first.run("%sh\necho out; echo err >&2; exit 3")
        self.assertEqual((result.reply["ename"], sorted(result.text.split())), ("ShellError", ["err", "out"]))
        self.assertEqual(first.run("%sh echo fine").text, "fine\n")

    def test_pip_installs_into_the_overlay(self):
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(f"{folder}/harbour_sample")
            with open(f"{folder}/pyproject.toml", "w", encoding="utf-8") as file:
                file.write("[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n")
            with open(f"{folder}/backend.py", "w", encoding="utf-8") as file:
                file.write(_BACKEND)
            result = first.run(f"%pip install {folder}")
            self.assertEqual(result.reply["status"], "ok", result.text)
        self.assertEqual(first.run("import harbour_sample; harbour_sample.x").data("text/plain"), ["42"])
        code = (
            "from pyspark.sql.functions import udf\n"
            "def f(v):\n    import harbour_sample\n    return harbour_sample.x\n"
            "spark.range(1).select(udf(f, 'long')('id')).collect()[0][0]"
        )
        self.assertEqual(first.run(code).data("text/plain"), ["42"])
        self.assertEqual(first.run("%pip frobnicate").reply["ename"], "ShellError")


class Interrupts(unittest.TestCase):
    def stopped(self, code, started):
        message = first.submit(code)
        started(message)
        first.interrupt()
        reply = first.collect(message).reply
        self.assertEqual((reply["status"], reply["ename"]), ("error", "KeyboardInterrupt"))
        wait_until(lambda: host.ask(op="stats")["active_jobs"] == 0, "the Spark jobs ended")
        self.assertEqual(first.run("spark.range(4).count()").data("text/plain"), ["4"])

    def job_runs(self, _):
        wait_until(lambda: host.ask(op="stats")["active_jobs"] > 0, "a Spark job runs")

    def says_go(self, message):
        first.collect(message, until=lambda result: "go" in result.text)

    def test_spark_job(self):
        self.stopped(ENDLESS, self.job_runs)

    def test_spark_jobs_of_other_threads(self):
        code = "from concurrent.futures import ThreadPoolExecutor as P\nwith P(2) as p:\n    "
        self.stopped(code + f"list(p.map(lambda _: {ENDLESS}, [1, 2]))", self.job_runs)

    def test_python_await_and_shell(self):
        self.stopped("import time; print('go'); time.sleep(1000)", self.says_go)
        self.stopped("import asyncio; print('go')\nawait asyncio.sleep(1000)", self.says_go)
        self.stopped("%sh\necho go; sleep 1000 & sleep 1000", self.says_go)

    def test_cancel_by_the_host(self):
        message = first.submit(ENDLESS, command_id="command-7")
        self.job_runs(message)
        self.assertEqual(
            host.ask(op="cancel", command_id="command-7", id=5),
            {"event": "cancelled", "command_id": "command-7", "id": 5},
        )
        result = first.collect(message)
        self.assertEqual(result.error_metadata["error_class"], "SPARK_JOB_CANCELLED")


_BACKEND = """
import os, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "harbour_sample-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("harbour_sample/__init__.py", "x = 42\\n")
        info = "harbour_sample-1.0.dist-info/"
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: harbour-sample\\nVersion: 1.0\\n")
        tag = "Root-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\n" + tag)
        wheel.writestr(info + "RECORD", "")
    return name
"""


if __name__ == "__main__":
    unittest.main()
