"""`dbutils.widgets`: in a kernel without Spark, and what is refused."""

import unittest

from support import Kernel

from harbour_runtime.errors import SqlError
from harbour_runtime.sql_widgets import run_widget_statement
from harbour_runtime.utilities import dbutils
from harbour_runtime.widgets import MAX_TOTAL, MAX_WIDGETS, Widgets

WIDGETS = "application/vnd.dataharbour.widgets+json"


def kept(kind, name, default, value=None, choices=()):
    """A widget as the workspace gives it with a command."""
    widget = {"kind": kind, "name": name, "default_value": default, "choices": list(choices)}
    return widget if value is None else {**widget, "value": value}


class Declarations(unittest.TestCase):
    def setUp(self):
        self.widgets = Widgets()

    def test_what_a_command_has_changed(self):
        widgets = self.widgets
        self.assertIsNone(widgets.changes())
        widgets.dropdown("colour", "red", ["red", "green", "red"], "Colour")
        widgets.text("day", 7)
        colour = {"kind": "DROPDOWN", "name": "colour", "default_value": "red", "label": "Colour"}
        colour["choices"] = ["red", "green"]
        day = {"kind": "TEXT", "name": "day", "default_value": "7"}
        self.assertEqual(widgets.changes(), {"removed": [], "declared": [colour, day]})
        self.assertEqual(widgets.getAll(), {"colour": "red", "day": "7"})
        # The next command declares the same, as each run of the same cell does, and finds what was chosen.
        widgets.begin([{**colour, "value": "green"}, day])
        widgets.dropdown("colour", "red", ["red", "green"], "Colour")
        self.assertIsNone(widgets.changes())
        self.assertEqual(widgets.get("colour"), "green")
        widgets.removeAll()
        widgets.text("day", "8")
        self.assertEqual(widgets.changes()["removed"], ["colour", "day"])
        self.assertEqual([one["name"] for one in widgets.changes()["declared"]], ["day"])
        widgets.remove("day")
        widgets.remove("nothing")
        self.assertEqual(widgets.changes(), {"removed": ["colour", "day"], "declared": []})

    def test_a_choice_that_is_none_any_more(self):
        self.widgets.begin([kept("DROPDOWN", "colour", "red", "green", ["red", "green"])])
        self.widgets.dropdown("colour", "blue", ["red", "blue"])
        self.assertEqual(self.widgets.get("colour"), "blue")
        self.widgets.begin([kept("DROPDOWN", "colour", "red", "green", ["red", "green"])])
        self.widgets.dropdown("colour", "blue", ["green", "blue"])
        self.assertEqual(self.widgets.get("colour"), "green")

    def test_a_run_gives_values(self):
        self.widgets.give({"colour": "green", "n": 3})
        self.widgets.dropdown("colour", "red", ["red", "green"])
        self.widgets.text("n", "1")
        self.assertEqual(self.widgets.getAll(), {"colour": "green", "n": "3"})
        with self.assertRaisesRegex(ValueError, "The value that the run gave of 'colour' is 'green'"):
            self.widgets.dropdown("colour", "red", ["red", "blue"])

    def test_arguments(self):
        self.widgets.text("a", "1")
        self.assertEqual(self.widgets.getArgument("a", "2"), "1")
        self.assertEqual(self.widgets.getArgument("b", "2"), "2")
        with self.assertRaises(KeyError):
            self.widgets.getArgument("b")

    def test_what_is_refused(self):
        refused = [
            ("1 to 128 characters", lambda w: w.text("")),
            ("1 to 128 characters", lambda w: w.text("x" * 129)),
            ("1 to 128 characters", lambda w: w.text(3)),
            ("none of its choices: 'a', 'b'", lambda w: w.dropdown("x", "c", ["a", "b"])),
            ("none of its choices", lambda w: w.multiselect("x", "a,c", ["a", "b"])),
            ("separated by commas", lambda w: w.multiselect("x", "a", ["a", "b,c"])),
            ("has 1025 choices", lambda w: w.combobox("x", "", range(1025))),
            ("may have 65536", lambda w: w.text("x", "é" * 32769)),
            ("NUL", lambda w: w.text("x", "\0")),
            ("surrogate", lambda w: w.text("x", "\ud800")),
            ("bytes together", lambda w: w.combobox("x", "", [str(n) + "y" * 1000 for n in range(300)])),
        ]
        for reason, declare in refused:
            with self.assertRaisesRegex(ValueError, reason):
                declare(self.widgets)
        self.assertIsNone(self.widgets.changes())
        for number in range(MAX_WIDGETS):
            self.widgets.text(f"w{number}")
        self.widgets.text("w0", "again")
        with self.assertRaisesRegex(ValueError, "200 widgets"):
            self.widgets.text("more")
        self.assertLess(sum(len(str(one)) for one in self.widgets.changes()["declared"]), MAX_TOTAL)


class Statements(unittest.TestCase):
    def setUp(self):
        dbutils.widgets.begin([])
        self.addCleanup(dbutils.widgets.begin, [])

    def run_statement(self, text, rows=()):
        class Frame:
            columns = ["a"]

            def toDF(self, *names):  # noqa: N802
                return self

            def selectExpr(self, text):  # noqa: N802
                return self

            def take(self, count):
                return list(rows)[:count]

        self.queries = []
        return run_widget_statement(text, lambda query: self.queries.append(query) or Frame())

    def test_kinds(self):
        self.assertFalse(self.run_statement("select 1 -- create widget text x default ''"))
        self.assertTrue(self.run_statement("-- a note\n create  WIDGET text `my name` default 'it\\'s'"))
        self.assertTrue(
            self.run_statement('/* x */ CREATE WIDGET DROPDOWN d DEFAULT "b" CHOICES SELECT a\nFROM t', [["a"], ["b"], [None]])
        )
        self.assertEqual(self.queries, ["SELECT a\nFROM t"])
        self.assertEqual(dbutils.widgets.getAll(), {"my name": "it's", "d": "b"})
        self.assertEqual(dbutils.widgets.changes()["declared"][1]["choices"], ["a", "b"])
        self.assertTrue(self.run_statement("REMOVE WIDGET d"))
        self.assertEqual(dbutils.widgets.getAll(), {"my name": "it's"})

    def test_what_is_refused(self):
        for text, reason in [
            ("CREATE WIDGET SLIDER x DEFAULT '1'", "not understood"),
            ("CREATE WIDGET TEXT x", "not understood"),
            ("REMOVE WIDGET", "not understood"),
            ("CREATE WIDGET TEXT x DEFAULT '1' CHOICES SELECT 1", "Choices belong"),
            ("CREATE WIDGET COMBOBOX x DEFAULT '1'", "Choices belong"),
            ("CREATE WIDGET DROPDOWN x DEFAULT '1' CHOICES SELECT 2", "none of its choices"),
        ]:
            with self.assertRaisesRegex(SqlError, reason):
                self.run_statement(text, [["2"]])


class InAKernel(unittest.TestCase):
    def test_they_are_told_and_given_with_each_command(self):
        kernel = Kernel()
        self.addCleanup(kernel.close)
        told = kernel.run("dbutils.widgets.text('day', 'monday', 'Day')\n1 / 0")
        self.assertEqual(told.reply["ename"], "ZeroDivisionError")
        day = {"kind": "TEXT", "name": "day", "default_value": "monday", "label": "Day"}
        self.assertEqual(told.data(WIDGETS), [{"removed": [], "declared": [day]}])
        code = "dbutils.widgets.text('day', 'monday', 'Day')\ndbutils.widgets.get('day')"
        again = kernel.run(code, widgets=[{**day, "value": "friday"}])
        self.assertEqual((again.data("text/plain"), again.data(WIDGETS)), (["'friday'"], []))
        # Without word of them, as in a job, what is there stays.
        self.assertEqual(kernel.run(code).data("text/plain"), ["'friday'"])
        gone = kernel.run("dbutils.widgets.getAll()", widgets=[])
        self.assertEqual(gone.data("text/plain"), ["{}"])
        removed = kernel.run("dbutils.widgets.removeAll()", widgets=[day])
        self.assertEqual(removed.data(WIDGETS), [{"removed": ["day"], "declared": []}])


if __name__ == "__main__":
    unittest.main()
