"""`CREATE WIDGET` and `REMOVE WIDGET` in SQL cells, which Spark does not know."""

import re

from .errors import SqlError
from .utilities import dbutils
from .widgets import MAX_CHOICES

_NOISE = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
_OURS = re.compile(r"(?:CREATE|REMOVE)\s+WIDGET\b", re.IGNORECASE)
_NAME = r"(?P<name>\w+|`(?:[^`]|``)+`)"
_REMOVE = re.compile(rf"REMOVE\s+WIDGET\s+{_NAME}\s*", re.IGNORECASE)
_TEXT = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_CREATE = re.compile(
    rf"CREATE\s+WIDGET\s+(?P<kind>TEXT|DROPDOWN|COMBOBOX|MULTISELECT)\s+{_NAME}\s+DEFAULT\s+(?P<default>{_TEXT})"
    r"(?:\s+CHOICES\s+(?P<query>.+)|\s*)",
    re.IGNORECASE | re.DOTALL,
)
_FORMS = (
    "Write CREATE WIDGET TEXT name DEFAULT 'value', CREATE WIDGET DROPDOWN name DEFAULT 'value' CHOICES SELECT ... "
    "(or COMBOBOX, MULTISELECT), or REMOVE WIDGET name."
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def run_widget_statement(statement, query):
    """Runs a statement about widgets; False for any other. `query` gives the DataFrame of a query's text.

    Raises `SqlError` for what is not understood, or what a widget may not be.
    """
    statement = statement[_NOISE.match(statement).end() :]
    if not _OURS.match(statement):
        return False
    removed, created = _REMOVE.fullmatch(statement), _CREATE.fullmatch(statement)
    if removed:
        dbutils.widgets.remove(_name(removed))
    elif created:
        _create(created, query)
    else:
        raise SqlError(f"This statement about a widget is not understood. {_FORMS}")
    return True


def _create(found, query):
    kind, name, default = found["kind"].lower(), _name(found), _unquoted(found["default"])
    if (kind == "text") != (found["query"] is None):
        raise SqlError(f"Choices belong to DROPDOWN, COMBOBOX and MULTISELECT, which need them. {_FORMS}")
    try:
        if kind == "text":
            dbutils.widgets.text(name, default)
            return
        # One more than there may be, so that too many are refused rather than cut.
        rows = _texts(query(found["query"])).take(MAX_CHOICES + 1)
        getattr(dbutils.widgets, kind)(name, default, [row[0] for row in rows if row[0] is not None])
    except ValueError as error:
        raise SqlError(str(error)) from None


def _texts(frame):
    """The first column as SQL writes its values, which `:name` is compared with: Python has `True` for `true`."""
    names = [f"c{number}" for number in range(len(frame.columns))]
    return frame.toDF(*names).selectExpr("CAST(c0 AS STRING)")


def _name(found):
    name = found["name"]
    return name[1:-1].replace("``", "`") if name.startswith("`") else name


def _unquoted(literal):
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), literal[1:-1], flags=re.DOTALL)
