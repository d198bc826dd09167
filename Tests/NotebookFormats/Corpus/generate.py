#!/usr/bin/env python3
"""Writes the .ipynb files of this corpus with nbformat itself, so that their bytes are Jupyter's.

    python3 -m venv /tmp/nb && /tmp/nb/bin/pip install nbformat==5.11.1
    /tmp/nb/bin/python Tests/NotebookFormats/Corpus/generate.py

The files named layout-* are the same notebook laid out as other programs write JSON.
"""
import json
import pathlib

import nbformat
from nbformat import v4
from nbformat.notebooknode import from_dict

HERE = pathlib.Path(__file__).parent


def outputs():
    """Every kind of output, with every kind of value in its bundle."""
    return [
        v4.new_output("stream", name="stdout", text="one\ntwo\r\nthree\rfour without end"),
        v4.new_output("stream", name="stderr", text="warn\u2028ing\x0b\x0c\x1c\x85 \x00\x1b[31mred\x1b[0m\x7f\n"),
        v4.new_output("display_data", data={
            "text/plain": "<Figure>\n1", "image/png": "iVBORw0KGgo=\n", "image/svg+xml": "<svg>\n</svg>",
            "application/javascript": "a;\nb;\n", "application/json": {"b": [1, 2.50, 1e-7, None, True], "a": "x\ny"},
            "application/vnd.vega.v5+json": {"deep": [[[{}]], []]}, "text/html": "<b>\"q\" \\ / \u00e9 \U0001f600</b>",
        }, metadata={"image/png": {"width": 640}, "isolated": False}),
        v4.new_output("execute_result", execution_count=3, data={"text/plain": "42"}),
        v4.new_output("execute_result", execution_count=None, data={}),
        v4.new_output("error", ename="ValueError", evalue="no\nway", traceback=["\x1b[0;31m---\x1b[0m", "line\nline"]),
    ]


def cells():
    """Every kind of cell."""
    return [
        v4.new_markdown_cell("# Title\n\ntext with ![x](attachment:x.png)\n", id="title",
                             attachments={"x.png": {"image/png": "AAAA"}, "t": {"text/plain": "a\nb"}}),
        v4.new_code_cell("x = 1\nprint(x)", execution_count=3, id="Code_1-a", outputs=outputs(), metadata={
            "collapsed": True, "scrolled": "auto", "tags": ["a", "b"], "jupyter": {"source_hidden": False},
            "application/vnd.databricks.v1+cell": {"title": "A title", "showTitle": True, "inputWidgets": {}, "nuid": "7"},
            "unknown": {"z": None, "a": [1.0, 12345678901234567890]},
        }),
        v4.new_code_cell("%sql\nSELECT *\nFROM t", id="s" * 64),
        v4.new_code_cell("%sh ls -l\npwd", id="sh"),
        v4.new_code_cell("%pip install a\n%pip install b", id="pip"),
        v4.new_code_cell("%%time\nsum(range(10))", id="cellmagic"),
        v4.new_code_cell("# COMMAND ----------\n# MAGIC %sql\n# DBTITLE 1,no", id="marks"),
        v4.new_code_cell("", id="empty"),
        v4.new_code_cell("\n\n  indented\n\n", id="spaces"),
        v4.new_code_cell("s = 'a\\r\\nb\u00e9\u0301\U0001f44d\ufeff'\ttab", id="odd"),
        v4.new_raw_cell("raw\n---\n", id="raw", metadata={"format": "text/restructuredtext"},
                        attachments={"f": {"text/plain": ""}}),
    ]


def notebook(minor=5):
    made = v4.new_notebook(cells=cells(), metadata={
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "version": "3.11.2", "codemirror_mode": {"name": "ipython", "version": 3}},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}, "version_major": 2}},
        "application/vnd.databricks.v1+notebook": {"language": "python", "widgets": {}},
    })
    made.nbformat_minor = minor
    if minor < 5:
        for cell in made.cells:
            del cell["id"]
    if minor == 0:
        # Attachments came with 4.1.
        for cell in made.cells:
            cell.pop("attachments", None)
    return made


def main():
    for minor in range(6):
        made = notebook(minor)
        nbformat.validate(made)
        nbformat.write(made, HERE / f"all-kinds-4.{minor}.ipynb", version=nbformat.NO_CONVERT)
    empty = v4.new_notebook()
    nbformat.write(empty, HERE / "empty.ipynb", version=nbformat.NO_CONVERT)
    plain = json.loads((HERE / "all-kinds-4.5.ipynb").read_text())
    unsorted = {key: plain[key] for key in ("nbformat", "nbformat_minor", "metadata", "cells")}
    unsorted["cells"] = [dict(reversed(cell.items())) for cell in plain["cells"]]
    joined = json.loads(json.dumps(plain))
    for cell in joined["cells"]:
        cell["source"] = "".join(cell["source"])
        for output in cell.get("outputs", []):
            if "text" in output:
                output["text"] = "".join(output["text"])

    def lay(name, value, end="\n", start="", **layout):
        (HERE / f"layout-{name}.ipynb").write_text(start + json.dumps(value, **layout) + end, newline="")

    lay("two", unsorted, indent=2, ensure_ascii=False)
    lay("ascii", unsorted, indent=4, ensure_ascii=True)
    lay("no-end", plain, end="", indent=1, ensure_ascii=False)
    lay("spaced", plain, ensure_ascii=False)
    lay("compact", unsorted, end="", separators=(",", ":"))
    lay("joined", joined, indent=1, ensure_ascii=False)
    lay("mark", joined, start="\ufeff", indent=1, ensure_ascii=False)
    for path in sorted(HERE.glob("layout-*.ipynb")):
        nbformat.validate(from_dict(json.loads(path.read_text("utf-8-sig"))))


main()
