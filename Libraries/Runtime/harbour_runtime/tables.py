"""Spark's and pandas' data frames as the table of a cell's output: capped, JSON-safe, with HTML and text beside it."""

import html
import itertools
import json

from .command import current
from .values import Converter

MIME = "application/vnd.dataharbour.table+json"
_HTML_ROWS = 100
_TEXT_ROWS = 20
_TEXT_WIDTH = 40
_COLUMN_LIMIT = 1000


class Table:
    """Rows already converted, and whether there are more than these."""

    def __init__(self, columns, truncated=False, total_rows=None):
        self.columns, self.rows = columns, []
        self.truncated, self.total_rows = truncated, total_rows

    def fill(self, rows, max_rows, max_bytes):
        """Takes rows until a limit is reached; one row is always taken."""
        converter, used = Converter(), 0
        for row in rows:
            converted = [converter.convert(value) for value in row]
            used += len(json.dumps(converted, ensure_ascii=False))
            if len(self.rows) >= max_rows or (self.rows and used > max_bytes):
                self.truncated = True
                break
            self.rows.append(converted)
        self.truncated = self.truncated or converter.shortened
        return self

    def bundle(self):
        """The three mime types."""
        table = {
            "columns": self.columns,
            "rows": self.rows,
            "truncated": self.truncated,
            "total_rows": self.total_rows,
        }
        return {MIME: table, "text/html": self._html(), "text/plain": self._text()}

    def _note(self, shown):
        if not self.truncated and shown == len(self.rows):
            return ""
        total = f" of {self.total_rows}" if self.total_rows is not None else ", there are more"
        return f"{shown} rows shown{total}."

    def _html(self):
        head = "".join(f"<th>{html.escape(column['name'])}</th>" for column in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_cell(value))}</td>" for value in row) + "</tr>"
            for row in self.rows[:_HTML_ROWS]
        )
        note = self._note(min(len(self.rows), _HTML_ROWS))
        foot = f"<p>{note}</p>" if note else ""
        return f'<table class="dataframe"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{foot}'

    def _text(self):
        names = [column["name"] for column in self.columns]
        shown = [[_short(_cell(value)) for value in row] for row in self.rows[:_TEXT_ROWS]]
        widths = [max([len(name), *(len(row[at]) for row in shown)]) for at, name in enumerate(names)]
        lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths)) for row in [names, *shown]]
        lines.insert(1, "  ".join("-" * width for width in widths))
        note = self._note(len(shown))
        return "\n".join(line.rstrip() for line in (*lines, *([note] if note else [])))


def _cell(value):
    if value is None:
        return "null"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(text):
    text = text.replace("\n", "⏎")
    return text if len(text) <= _TEXT_WIDTH else text[: _TEXT_WIDTH - 1] + "…"


def from_spark(frame):
    """Runs the query for at most one row more than is shown."""
    limit = current.max_rows
    fields = frame.schema.fields
    columns = [{"name": field.name, "type": field.dataType.simpleString()} for field in fields]
    times = [at for at, field in enumerate(fields) if field.dataType.typeName() == "timestamp"]
    collected = _with_session_times(frame.limit(limit + 1), len(fields), times).collect()
    rows = (_without_empty_fractions(row, times) for row in collected[:limit]) if times else collected[:limit]
    table = Table(columns, truncated=len(collected) > limit)
    if not table.truncated:
        table.total_rows = len(collected)
    return table.fill(rows, limit, current.max_bytes)


_TIME_FORMAT = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"


def _with_session_times(frame, width, times):
    """Timestamps as Spark writes them in the session's time zone; Python would use this process's zone instead."""
    if not times:
        return frame
    from pyspark.sql import functions

    # By position: names of a result may repeat.
    renamed = frame.toDF(*[f"c{at}" for at in range(width)])
    return renamed.select(
        *[functions.date_format(f"c{at}", _TIME_FORMAT) if at in times else f"c{at}" for at in range(width)]
    )


def _without_empty_fractions(row, times):
    return [value.replace(".000000", "") if at in times and value else value for at, value in enumerate(row)]


_PANDAS_TYPES = {
    "object": "string",
    "string": "string",
    "str": "string",
    "category": "string",
    "int8": "tinyint",
    "int16": "smallint",
    "int32": "int",
    "int64": "bigint",
    "uint8": "smallint",
    "uint16": "int",
    "uint32": "bigint",
    "uint64": "decimal(20,0)",
    "float32": "float",
    "float64": "double",
    "bool": "boolean",
    "boolean": "boolean",
}


def _pandas_type(dtype):
    name = str(dtype)
    if name.startswith("datetime64"):
        return "timestamp"
    if name.startswith("timedelta64"):
        return "interval day to second"
    return _PANDAS_TYPES.get(name, _PANDAS_TYPES.get(name.lower(), name))


def from_pandas(frame):
    """A pandas DataFrame or Series; an index that says something becomes the first columns."""
    import pandas

    if isinstance(frame, pandas.Series):
        frame = frame.to_frame(name=frame.name if frame.name is not None else "value")
    total = len(frame)
    head = frame.head(current.max_rows)
    if not isinstance(frame.index, pandas.RangeIndex) or frame.index.name is not None:
        names = [name if name is not None else "index" for name in head.index.names]
        levels = [head.index.get_level_values(at) for at in range(head.index.nlevels)]
    else:
        names, levels = [], []
    series = [*levels, *(head.iloc[:, at] for at in range(head.shape[1]))]
    labels = [*names, *(_label(name) for name in head.columns)]
    truncated = total > len(head) or len(series) > _COLUMN_LIMIT
    series, labels = series[:_COLUMN_LIMIT], labels[:_COLUMN_LIMIT]
    columns = [{"name": str(name), "type": _pandas_type(each.dtype)} for name, each in zip(labels, series)]
    rows = zip(*(_missing_as_none(each) for each in series)) if series else itertools.repeat((), 0)
    return Table(columns, truncated, total).fill(rows, current.max_rows, current.max_bytes)


def _label(name):
    return "_".join(str(part) for part in name) if isinstance(name, tuple) else name


def _missing_as_none(column):
    """pandas writes a missing text as NaN: no value, where NaN in a column of numbers is one."""
    values = column.tolist()
    if column.dtype.kind != "O":
        return values
    return [None if type(value) is float and value != value else value for value in values]
