"""The parts that need no running Spark."""

import contextlib
import datetime
import decimal
import io
import json
import os
import subprocess
import tempfile
import unittest

from support import RUNTIME, environment  # noqa: F401, sets the path

from harbour_runtime import config, executors, failure, java, magics, scratch, sql, tables, values


class Configuration(unittest.TestCase):
    def refused(self, **fields):
        with self.assertRaises(failure.StartFailure) as caught:
            config.parse({"scratch_dir": "/tmp/x", **fields})
        self.assertEqual(caught.exception.code, "CONFIG_INVALID")
        return caught.exception.message

    def test_what_is_wrong_is_named(self):
        self.assertIn("'colour'", self.refused(colour="red"))
        self.assertIn("'driver_memory_mb'", self.refused(driver_memory_mb="1g"))
        self.assertIn("'driver_memory_mb'", self.refused(driver_memory_mb=True))
        self.assertIn("yarn", self.refused(master="yarn"))
        self.assertIn("'scratch_dir'", self.refused(scratch_dir=""))
        self.assertIn("spark.x", self.refused(spark_conf={"spark.x": []}))
        self.assertIn("executor", self.refused(master="local-cluster[0,1,1024]"))
        self.assertIn(
            "spark.executor.memory",
            self.refused(master="local-cluster[1,1,1024]", spark_conf={"spark.executor.memory": "9g"}),
        )
        self.assertIn(
            "spark.dynamicAllocation.maxExecutors",
            self.refused(master="local-cluster[1,1,1024]", spark_conf={"spark.dynamicAllocation.maxExecutors": 3}),
        )

    def test_masters(self):
        for master in ("local", "local[4]", "local[*]", "local[2,3]", "local-cluster[2, 1, 1024]", "spark://h:7077"):
            self.assertEqual(config.parse({"scratch_dir": "/tmp/x", "master": master}).master, master)
        self.assertEqual(config.shape("local-cluster[2, 1, 1024]"), (2, 1, 1024))
        self.assertIsNone(config.shape("local[2]"))

    def test_a_local_cluster_has_room_for_more(self):
        parsed = config.parse({"scratch_dir": "/tmp/x", "master": "local-cluster[2,3,512]"})
        settings = config.spark_settings(parsed, {})
        self.assertEqual(settings["spark.master"], "local-cluster[1,192,32768]")
        self.assertEqual((settings["spark.executor.cores"], settings["spark.executor.memory"]), ("3", "512m"))
        self.assertEqual(settings["spark.dynamicAllocation.initialExecutors"], "2")
        self.assertEqual(settings["spark.sql.shuffle.partitions"], "12")

    def test_users_settings_win(self):
        parsed = config.parse({"scratch_dir": "/tmp/x", "spark_conf": {"spark.ui.port": 4040, "spark.a": True}})
        settings = config.spark_settings(parsed, {"spark.b": "c"})
        self.assertEqual(settings["spark.ui.port"], "4040")
        self.assertEqual(settings["spark.a"], "true")
        self.assertEqual(settings["spark.b"], "c")

    def test_a_long_scratch_path_still_gets_a_socket(self):
        parsed = config.parse({"scratch_dir": "/tmp/" + "x" * 200})
        path = scratch.socket_path(parsed)
        self.assertLess(len(path), 100)
        scratch.release_socket(parsed, path)
        self.assertFalse(os.path.exists(os.path.dirname(path)))

    def test_a_short_scratch_path_is_left_alone(self):
        with tempfile.TemporaryDirectory(prefix="harbour-") as folder:
            parsed = config.parse({"scratch_dir": folder})
            scratch.release_socket(parsed, scratch.socket_path(parsed))
            self.assertTrue(os.path.isdir(folder))


class ScriptedApplication:
    """What a census asks of Spark."""

    def __init__(self):
        self.told_to_leave, self.settled = set(), 0

    def leaving(self):
        return set(self.told_to_leave)

    def settle(self):
        self.settled += 1

    def forget(self, names):
        self.told_to_leave -= names


class Executors(unittest.TestCase):
    def setUp(self):
        self.kills = 0
        self.application = ScriptedApplication()
        self.census = executors.Census(self.application, lambda: self.kills)

    def take(self, name, reason=None):
        event = {"Event": "SparkListenerExecutorAdded", "Executor ID": name}
        if reason is not None:
            event.update({"Event": "SparkListenerExecutorRemoved", "Removed Reason": reason})
        told = self.census.take(event) + self.census.count()
        return [(each["running"], each["leaving"], each["lost"]) for each in told]

    def test_one_that_is_lost_is_told_with_its_end(self):
        self.assertEqual(self.census.count(), [{"running": 0, "leaving": 0, "lost": []}])
        self.take("0")
        self.assertEqual(self.take("1"), [(2, 0, [])])
        self.assertEqual(self.census.count(), [])
        told = {"id": "1", "reason": "Command exited with code 137", "status": 137, "out_of_memory": False}
        self.assertEqual(self.take("1", "Command exited with code 137"), [(1, 0, [told]), (1, 0, [])])
        self.assertEqual(self.take("1", "told twice"), [])
        self.assertEqual(self.take("2"), [(2, 0, [])])
        # At each that came or went, but not at what is told twice.
        self.assertEqual(self.application.settled, 4)

    def test_one_that_was_told_to_leave_is_not_lost(self):
        self.take("0")
        self.take("1")
        self.application.told_to_leave = {"0"}
        self.assertEqual(self.census.count(), [{"running": 1, "leaving": 1, "lost": []}])
        self.assertEqual(self.take("0", "Executor decommission."), [(1, 0, [])])
        self.assertEqual(self.application.told_to_leave, set())

    def test_the_least_busy_are_too_many(self):
        # "2" has just come: the count of tasks does not have it yet.
        self.assertEqual(executors.surplus({"0", "1", "2"}, {"0": 1, "1": 2, "driver": 0}, 1), ["2", "0"])
        self.assertEqual(executors.surplus({"0", "1"}, {"0": 1}, 2), [])
        self.assertEqual(executors.surplus({"0"}, {}, 3), [])

    def test_out_of_memory_is_known(self):
        self.take("0")
        self.take("1")
        self.kills = 1
        self.assertTrue(self.take("0", "Command exited with code 137")[0][2][0]["out_of_memory"])
        self.assertTrue(self.take("1", "Command exited with code 3")[0][2][0]["out_of_memory"])
        self.assertFalse(executors.describe("7", "Command exited with code 137", False)["out_of_memory"])
        self.assertIsNone(executors.describe("7", "Executor heartbeat timed out", True)["status"])

    def test_a_log_is_cut_wherever_it_was_read(self):
        wanted = [{"Event": "SparkListenerExecutorAdded", "Executor ID": "0"}, {"Event": "SparkListenerExecutorRemoved"}]
        text = json.dumps(wanted[0], separators=(",", ":")) + '\n{"Event":"SparkListenerJobStart"}\n'
        text += json.dumps(wanted[1], separators=(",", ":")) + "\n"
        for size in range(1, len(text) + 1):
            cutter = executors.EventCutter()
            pieces = [text[start : start + size].encode() for start in range(0, len(text), size)]
            self.assertEqual([event for piece in pieces for event in cutter.cut(piece)], wanted)

    def test_a_damaged_line_hides_no_other(self):
        cutter = executors.EventCutter()
        with contextlib.redirect_stderr(io.StringIO()) as said:
            found = cutter.cut(b'{"Event":"SparkListenerExecutorAdded","Exe\n{"Event":"SparkListenerExecutorRemoved"}\n')
        self.assertEqual(found, [{"Event": "SparkListenerExecutorRemoved"}])
        self.assertIn("damaged", said.getvalue())

    def test_a_line_too_long_is_left_out_whatever_its_end(self):
        cutter = executors.EventCutter()
        self.assertEqual(cutter.cut(b"x" * 70_000), [])
        event = b'{"Event":"SparkListenerExecutorAdded"}\n'
        self.assertEqual(cutter.cut(event), [], "it belongs to the long line")
        self.assertEqual(cutter.cut(event), [{"Event": "SparkListenerExecutorAdded"}])


class Java(unittest.TestCase):
    def test_missing_java_is_named(self):
        with self.assertRaises(failure.StartFailure) as caught:
            java.find("/nowhere")
        self.assertEqual(caught.exception.code, "JAVA_MISSING")

    def test_old_java_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, "bin"))
            program = os.path.join(folder, "bin", "java")
            with open(program, "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\n")
            os.chmod(program, 0o755)
            with open(os.path.join(folder, "release"), "w", encoding="utf-8") as file:
                file.write('JAVA_VERSION="1.8.0_402"\n')
            with self.assertRaises(failure.StartFailure) as caught:
                java.find(folder)
        self.assertEqual(caught.exception.code, "JAVA_TOO_OLD")

    def test_options_are_those_of_sparks_launcher(self):
        answer = subprocess.run(
            [
                java.find(),
                "-cp",
                java.classpath(),
                "org.apache.spark.launcher.Main",
                "org.apache.spark.deploy.SparkSubmit",
                "pyspark-shell",
            ],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "SPARK_HOME": java.spark_home(), "SPARK_SCALA_VERSION": "2.13"},
        )
        words = [word for word in answer.stdout.split("\0") if word.startswith("-") and word not in ("-cp", "-Xmx1g")]
        self.assertEqual(list(java.OPTIONS), words)

    def test_imports_are_those_of_pyspark(self):
        import inspect
        import re

        import pyspark.java_gateway

        from harbour_runtime import gateway

        source = inspect.getsource(pyspark.java_gateway.launch_gateway)
        self.assertEqual(list(gateway.IMPORTS), re.findall(r'java_import\(gateway\.jvm, "([^"]+)"\)', source))

    def test_an_archive_without_its_note_is_not_used(self):
        with tempfile.NamedTemporaryFile() as file:
            usable, why = java.usable_archive(file.name, java.find())
            self.assertIsNone(usable)
            self.assertIn("cannot be used", why)
            with open(java.note_path(file.name), "w", encoding="utf-8") as note:
                json.dump({"fingerprint": "other"}, note)
            usable, why = java.usable_archive(file.name, java.find())
            os.unlink(java.note_path(file.name))
            self.assertIsNone(usable)
            self.assertIn("another Java", why)


class Statements(unittest.TestCase):
    def test_split(self):
        cases = {
            "": [],
            " ; ;\n-- only a comment\n;/* and /* a nested */ one */": [],
            "select 1": ["select 1"],
            "select 1; select 2;": ["select 1", "select 2"],
            "select ';' ; select \"a;b\"": ["select ';'", 'select "a;b"'],
            r"select 'it\'s;' ; select 'it''s;x'": [r"select 'it\'s;'", "select 'it''s;x'"],
            "select `a;``b` from t": ["select `a;``b` from t"],
            "select 1 -- one; two\n; select 2": ["select 1 -- one; two", "select 2"],
            "select /* ; /* ; */ ; */ 1; select 2": ["select /* ; /* ; */ ; */ 1", "select 2"],
            "select 'open; end": ["select 'open; end"],
            "set x = 1; BEGIN select 1; select 2; END": ["set x = 1", "BEGIN select 1; select 2; END"],
        }
        for text, expected in cases.items():
            self.assertEqual(sql.split(text), expected, text)

    def test_where_no_name_is_completed(self):
        # A | is where somebody writes; those in strings and comments are outside of the code.
        for text, is_code in {
            "|": True, "select |": True, "select 'a' |": True, "select 'a|'": False, "select 'a|": False, "'|": False,
            'select "it\\"s|"': False, "-- x|": False, "-- x|\ny": False, "-- x\n|": True, "/* | */": False, "/* |": False,
            "/* a */ |": True, "select `a|": True,
        }.items():
            place = text.index("|")
            code = text.replace("|", "")
            self.assertEqual(sql.code_at(code, place), code[:place] if is_code else None, text)

    def test_first_line_magics(self):
        def changed(text):
            return "".join(magics.transform(text.splitlines(keepends=True)))

        self.assertEqual(changed("1+1"), "1+1")
        self.assertEqual(changed("\n%sql\nselect 1"), "get_ipython().run_cell_magic('sql', '', 'select 1')\n")
        self.assertEqual(changed("%sql select 1"), "get_ipython().run_cell_magic('sql', '', 'select 1')\n")
        self.assertEqual(changed("%python\n1+1"), "1+1")
        self.assertEqual(changed("x = 5\n%sql select 1"), "x = 5\n%sql select 1")
        self.assertEqual(changed("%sqlite x"), "%sqlite x")
        self.assertEqual(magics.with_language("select 1", "sql"), "%sql\nselect 1")
        self.assertEqual(magics.with_language("%sql select 1", "sql"), "%sql select 1")
        with self.assertRaises(ValueError):
            magics.with_language("x", "cobol")


class Values(unittest.TestCase):
    def test_json_safe(self):
        zone = datetime.timezone(datetime.timedelta(hours=2))
        deep = []
        deep.append(deep)
        cases = [
            (None, None),
            (True, True),
            (7, 7),
            (2**53, str(2**53)),
            (-(2**53), str(-(2**53))),
            (1.5, 1.5),
            (float("nan"), "NaN"),
            (float("inf"), "Infinity"),
            (float("-inf"), "-Infinity"),
            (decimal.Decimal("1E+2"), "100"),
            (decimal.Decimal("NaN"), "NaN"),
            (decimal.Decimal("1.10"), "1.10"),
            (b"\x00\xff", "AP8="),
            (bytearray(b"a"), "YQ=="),
            (datetime.date(2024, 1, 2), "2024-01-02"),
            (datetime.datetime(2024, 1, 2, 3, 4, 5, 6, zone), "2024-01-02T03:04:05.000006+02:00"),
            ({"a": [1, float("nan")]}, {"a": [1, "NaN"]}),
            ({1: 2, None: 3}, {"1": 2, "null": 3}),
            ("\ud800x", "?x"),
            (object, "<class 'object'>"),
        ]
        for value, expected in cases:
            self.assertEqual(values.Converter().convert(value), expected)
        json.dumps(values.Converter().convert(deep))

    def test_numpy_and_pandas(self):
        import numpy
        import pandas

        convert = values.Converter().convert
        self.assertEqual(convert(numpy.int64(3)), 3)
        self.assertEqual(convert(numpy.array([[1.0, float("nan")]])), [[1.0, "NaN"]])
        self.assertIsNone(convert(pandas.NA))
        self.assertIsNone(convert(pandas.NaT))
        self.assertIsNone(convert(numpy.datetime64("NaT")))
        self.assertEqual(convert(pandas.Timestamp("2024-01-01", tz="UTC")), "2024-01-01T00:00:00+00:00")

    def test_long_text_is_cut(self):
        converter = values.Converter()
        self.assertEqual(len(converter.convert("x" * 100_000)), 65537)
        self.assertTrue(converter.shortened)


class Tables(unittest.TestCase):
    def bundle(self, frame):
        return tables.from_pandas(frame).bundle()

    def test_pandas_kinds(self):
        import pandas

        frame = pandas.DataFrame(
            {
                "i": pandas.array([1, None], dtype="Int64"),
                "s": ["<b>", None],
                "f": [1.0, float("nan")],
                "t": pandas.to_datetime(["2024-01-01", None]),
                "c": pandas.Categorical(["x", None]),
            }
        )
        bundle = self.bundle(frame)
        table = bundle[tables.MIME]
        self.assertEqual(
            [column["type"] for column in table["columns"]], ["bigint", "string", "double", "timestamp", "string"]
        )
        self.assertEqual(table["rows"], [[1, "<b>", 1.0, "2024-01-01T00:00:00", "x"], [None, None, "NaN", None, None]])
        self.assertIn("&lt;b&gt;", bundle["text/html"])
        self.assertNotIn("<b>", bundle["text/html"])
        json.dumps(bundle, allow_nan=False)

    def test_index_and_series(self):
        import pandas

        frame = pandas.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]}).groupby("k").agg({"v": ["sum", "max"]})
        table = self.bundle(frame)[tables.MIME]
        self.assertEqual([column["name"] for column in table["columns"]], ["k", "v_sum", "v_max"])
        self.assertEqual(table["rows"], [["a", 4, 3], ["b", 2, 2]])
        self.assertEqual(self.bundle(frame[("v", "sum")])[tables.MIME]["rows"], [["a", 4], ["b", 2]])

    def test_caps(self):
        import pandas

        table = self.bundle(pandas.DataFrame({"x": range(5000)}))[tables.MIME]
        self.assertEqual((len(table["rows"]), table["truncated"], table["total_rows"]), (1000, True, 5000))
        table = self.bundle(pandas.DataFrame({"x": ["y" * 60_000] * 500}))[tables.MIME]
        self.assertTrue(0 < len(table["rows"]) < 50 and table["truncated"])
        self.assertEqual(self.bundle(pandas.DataFrame())[tables.MIME]["rows"], [])


if __name__ == "__main__":
    unittest.main()
