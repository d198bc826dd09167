"""The samples of deploy/samples run with nothing but the runtime, each in a context of its own."""

import collections
import csv
import json
import pathlib
import re
import tempfile
import unittest

from support import Host, Kernel

SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "deploy/samples"
MARK = {".py": "#", ".sql": "--"}


def commands(path):
    """(language, code) of each cell."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        for cell in json.loads(text)["cells"]:
            yield "markdown" if cell["cell_type"] == "markdown" else "python", "".join(cell["source"])
        return
    mark = re.escape(MARK[path.suffix])
    text = re.sub(rf"^{mark} Databricks notebook source\n", "", text)
    for cell in re.split(rf"^{mark} COMMAND -+\n", text, flags=re.MULTILINE):
        code = re.sub(rf"^{mark} MAGIC ?", "", cell.strip(), flags=re.MULTILINE)
        yield "sql" if path.suffix == ".sql" and not code.startswith("%") else "python", code


def counted():
    """Flights and cancelled ones by airport, counted without Spark."""
    flights, cancelled = collections.Counter(), collections.Counter()
    with open(SAMPLES / "data/flights.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            flights[row["origin"]] += 1
            cancelled[row["origin"]] += row["dep_time"] == "NA"
    return [(origin, count, cancelled[origin]) for origin, count in flights.most_common()]


class Samples(unittest.TestCase):
    def test_all_three_in_order(self):
        host = Host().start()
        self.addCleanup(host.close)
        with tempfile.TemporaryDirectory() as data:
            parameters = {"source_dir": str(SAMPLES / "data"), "data_dir": data}
            outputs = {
                name: self.run_notebook(host, name, parameters)
                for name in ("01_ingest.ipynb", "02_report.py", "03_explore.sql")
            }
        first, second, third = outputs.values()
        rows = first[-1].table["rows"]
        self.assertEqual([tuple(row[:3]) for row in rows], counted())
        self.assertTrue(any(each.data("image/png") for each in second))
        result = json.loads(second[-1].data("application/vnd.dataharbour.exit+json")[0]["value"])
        self.assertEqual(result["columns"], ["airline", "flights", "cancelled", "late_percent", "minutes_late"])
        self.assertGreater(len(result["rows"]), 5)
        self.assertEqual(len(third[1].table["rows"]), 10)
        self.assertEqual(len(third[2].table["rows"]), 7)

    def run_notebook(self, host, name, parameters):
        kernel = Kernel(host)
        self.addCleanup(kernel.close)
        self.assertEqual(kernel.attach(name, parameters).reply["status"], "ok")
        results = []
        for language, code in commands(SAMPLES / name):
            result = kernel.run(code, language=language)
            self.assertEqual(result.reply["status"], "ok", (name, code, result.error))
            results.append(result)
        return results


if __name__ == "__main__":
    unittest.main()
