"""SQL cells: one or several statements, the last result shown."""

import re
from contextlib import contextmanager

from .errors import SqlError, is_from_spark, short_message
from .link import link

_SCRIPT = re.compile(r"\s*(?:\w+\s*:\s*)?BEGIN\b", re.IGNORECASE)
_PARAMETER = re.compile(r":(\w+)")


def split(text):
    """The statements of a text, cut at semicolons outside of strings, names and comments; comments stay in them.

    Empty statements are left out. A SQL script (`BEGIN ... END`) is one statement. Spark's rules hold: a backslash
    escapes in '...' and "...", `...` doubles its quote, /* */ nests.
    """
    statements, start, at = [], 0, 0
    only_noise = True
    while at < len(text):
        character, pair = text[at], text[at : at + 2]
        if character == ";":
            if not only_noise:
                statements.append(text[start:at].strip())
            start, only_noise = at + 1, True
            at += 1
        elif pair == "--":
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        elif pair == "/*":
            at = _comment_end(text, at)
        elif character in "'\"`":
            at, only_noise = _quote_end(text, at), False
        else:
            if only_noise and not character.isspace():
                only_noise = False
                if _SCRIPT.match(text, at):
                    return [*statements, text[start:].strip()]
            at += 1
    if not only_noise:
        statements.append(text[start:].strip())
    return statements


def code_at(text, place):
    """The text before a place, or None when that place is in a string or a comment."""
    at = 0
    while at < place:
        if text[at : at + 2] == "--":
            end = text.find("\n", at)
            end = (len(text) if end < 0 else end) + 1
        elif text[at : at + 2] == "/*":
            end = _comment_end(text, at)
            # What is not closed goes to the end, and the place there is in it.
            end += text[end - 2 : end] != "*/"
        elif text[at] in "'\"":
            end = _quote_end(text, at)
            end += end - at == 1 or text[end - 1] != text[at]
        else:
            end = at + 1
        if end > place:
            return None
        at = end
    return text[:place]


def _quote_end(text, at):
    quote = text[at]
    at += 1
    while at < len(text):
        if text[at] == "\\" and quote != "`":
            at += 2
        elif text[at] == quote:
            return at + 1
        else:
            at += 1
    return len(text)


def _comment_end(text, at):
    depth = 0
    while at < len(text):
        pair = text[at : at + 2]
        if pair in ("/*", "*/"):
            depth += 1 if pair == "/*" else -1
            at += 2
            if depth == 0:
                return at
        else:
            at += 1
    return len(text)


def run_sql(text, parameters=dict, own=None):
    """Runs the statements in order and returns the last result as a DataFrame, or None for an empty text.

    `:name` in a statement is bound to the notebook's parameter of that name, which `parameters` gives. A statement that
    `own` runs, and says so, is none for Spark. Raises `SqlError`, short, with Spark's own exception as its cause.
    """
    session = link.session()
    statements = split(text)
    result = None
    for number, statement in enumerate(statements, 1):
        place = f" (statement {number} of {len(statements)})" if len(statements) > 1 else ""
        with short_errors(place):
            if own is None or not own(statement, lambda query: _run(session, query, parameters())):
                result = _run(session, statement, parameters())
    return result


def _run(session, statement, parameters):
    return session.sql(statement, args=_arguments(statement, parameters))


@contextmanager
def short_errors(place=""):
    """Turns what Spark raises inside into a `SqlError`."""
    try:
        yield
    except Exception as error:
        if not is_from_spark(error):
            raise
        raise SqlError(short_message(error) + place) from error


def _arguments(statement, parameters):
    wanted = {name: parameters[name] for name in _PARAMETER.findall(statement) if name in parameters}
    return wanted or None
