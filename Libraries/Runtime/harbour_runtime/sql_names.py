"""What a SQL statement that is being written can go on with: keywords, and what Spark's catalog has."""

import re

from .errors import is_from_spark
from .link import SparkUnavailable, link
from .sql import code_at

# One listing is never longer; a catalog of that size is searched by its beginning.
_LIMIT = 1000
# Names are looked for in so many characters before the cursor.
_NEAR = 1000
_KEYWORDS = """
    ALTER AND ANTI AS ASC BETWEEN BY CACHE CASE CAST COLUMNS CREATE CROSS CUBE DATABASE DELETE DESC DESCRIBE DISTINCT DROP
    ELSE END EXCEPT EXISTS EXPLAIN FALSE FROM FULL FUNCTION GROUP HAVING IF ILIKE IN INNER INSERT INTERSECT INTERVAL INTO IS
    JOIN LATERAL LEFT LIKE LIMIT MATCHED MERGE NATURAL NOT NULL NULLS OFFSET ON OR ORDER OUTER OVER OVERWRITE PARTITION
    PIVOT QUALIFY REFRESH REPLACE RIGHT RLIKE ROLLUP ROWS SCHEMA SELECT SEMI SET SHOW TABLE TABLES TABLESAMPLE TEMPORARY
    THEN TRUE TRUNCATE UNCACHE UNION UPDATE USE USING VALUES VIEW WHEN WHERE WINDOW WITH""".split()
_NAME = r"(?:\w+|`[^`]*`)"
_AT_CURSOR = re.compile(rf"((?:{_NAME}\.)*)(\w*)$")
_WANTS_TABLE = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|TABLE|VIEW|DESCRIBE)\s+$", re.IGNORECASE)
_TABLES = re.compile(
    rf"\b(?:FROM|JOIN|INTO|UPDATE)\s+({_NAME}(?:\.{_NAME})*)(?:\s+(?:AS\s+)?(\w+))?", re.IGNORECASE
)


def complete(code, cursor):
    """The place of the text that is completed, and pairs of what takes its place and what that is."""
    before = code_at(code, cursor)
    if before is None:
        return cursor, []
    qualifier, start = _AT_CURSOR.search(before[-_NEAR:]).groups()
    qualifier = qualifier.rstrip(".")
    place = cursor - len(start)
    named = dict(_named(code))
    if qualifier:
        found = _columns(named.get(qualifier.lower(), qualifier)) or _tables(start, qualifier)
    elif _WANTS_TABLE.search(before[:place][-_NEAR:]):
        found = _tables(start) + _schemas(start)
    else:
        columns = [column for table in dict.fromkeys(named.values()) for column in _columns(table)]
        found = columns + _tables(start) + _schemas(start) + [(word, "keyword") for word in _KEYWORDS if start]
    wanted = start.lower()
    fitting = [(name, kind) for name, kind in found if name.lower().startswith(wanted)]
    return place, [(_quoted(name), kind) for name, kind in dict.fromkeys(fitting)]


def inspect(code, cursor):
    """What is known of the table or function at the cursor, as text; None when nothing is."""
    end = cursor + len(re.match(r"\w*", code[cursor:]).group())
    before = code_at(code, end)
    qualifier, last = _AT_CURSOR.search(before[-_NEAR:]).groups() if before else ("", "")
    name = qualifier + last
    if not name:
        return None
    table = dict(_named(code)).get(name.lower(), name)
    schema = _ask(lambda session: session.table(table).schema)
    if schema is not None:
        lines = [f"{field.name}: {field.dataType.simpleString()}" for field in schema]
        return "\n".join([table, *(f"    {line}" for line in lines)])
    told = _ask(lambda session: session.sql(f"DESCRIBE FUNCTION EXTENDED {name}").take(_LIMIT))
    return "\n".join(row[0] for row in told) if told else None


def _named(code):
    """The tables of the code by the names that they have in it: their own, the last part of it, an alias."""
    for table, alias in _TABLES.findall(code):
        for name in (table, table.rpartition(".")[2], alias):
            if name and name.upper() not in _KEYWORDS:
                yield name.lower(), table


def _columns(table):
    return [(name, "column") for name in _ask(lambda session: session.table(table).columns) or []]


def _tables(start, schema=None):
    place = f" IN {schema}" if schema else ""
    rows = _ask(lambda session: session.sql(f"SHOW TABLES{place} LIKE '{start}*'").take(_LIMIT))
    return [(row.tableName, "table") for row in rows or []]


def _schemas(start):
    rows = _ask(lambda session: session.sql(f"SHOW SCHEMAS LIKE '{start}*'").take(_LIMIT))
    return [(row[0], "schema") for row in rows or []]


def _quoted(name):
    return name if re.fullmatch(r"\w+", name) else "`" + name.replace("`", "``") + "`"


def _ask(question):
    """Spark's answer; None where it has none, as for a table that is still to be made."""
    try:
        return question(link.session())
    except SparkUnavailable:
        return None
    except Exception as error:
        if not is_from_spark(error):
            raise
        return None
