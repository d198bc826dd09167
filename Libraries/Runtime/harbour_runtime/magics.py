"""First-line magics: `%sql`, `%md`, `%sh`, `%pip`, `%python`, as notebooks of the field have them."""

import re

from . import overlay, shell, showing
from .utilities import dbutils
from .sql import run_sql, short_errors
from .sql_widgets import run_widget_statement

_FIRST = re.compile(r"^\s*%(sql|md|sh|python)\b[ \t]*(.*)$", re.DOTALL)
_PREFIXES = {"sql": "%sql", "markdown": "%md", "shell": "%sh", "python": ""}


def with_language(code, language):
    """The code of a command whose language was given apart from it."""
    prefix = _PREFIXES.get(language)
    if prefix is None:
        raise ValueError(f"A command's language is one of {', '.join(_PREFIXES)}; this was {language!r}.")
    return f"{prefix}\n{code}" if prefix and not code.lstrip().startswith(prefix) else code


def transform(lines):
    """IPython's hook: a cell that begins with a magic of ours becomes one call with the rest of the cell."""
    at = next((at for at, line in enumerate(lines) if line.strip()), None)
    found = at is not None and _FIRST.match(lines[at])
    if not found:
        return lines
    name, rest = found.group(1), found.group(2)
    body = "".join([rest if rest.strip() else "", *lines[at + 1 :]]).removesuffix("\n")  # IPython's, not the user's.
    if name == "python":
        return body.splitlines(keepends=True)
    return [f"get_ipython().run_cell_magic({name!r}, '', {body!r})\n"]


def _sql(line, cell=None):
    """Runs SQL and shows the last result, which is `_sqldf` afterwards."""
    from IPython import get_ipython

    frame = run_sql("\n".join(filter(None, [line, cell])), dbutils.widgets.getAll, run_widget_statement)
    if frame is not None:
        get_ipython().user_ns["_sqldf"] = frame
    # Spark runs most queries only when rows are asked for.
    with short_errors():
        showing.show_result(frame)


def _md(line, cell=None):
    """Shows Markdown."""
    text = "\n".join(filter(None, [line, cell]))
    showing.publish({"text/markdown": text, "text/plain": text})


def _sh(line, cell=None):
    """Runs a script by bash."""
    shell.run(["bash", "-c", "\n".join(filter(None, [line, cell]))], "The shell script")


def _pip(line, cell=None):
    """Installs packages for this cluster."""
    overlay.pip(line)


def install(ipython):
    """Registers the magics, for `%name` lines and `%%name` cells as well."""
    for name, function in (("sql", _sql), ("md", _md), ("sh", _sh)):
        ipython.register_magic_function(function, "line_cell", name)
    ipython.register_magic_function(_pip, "line", "pip")
    ipython.input_transformers_cleanup.insert(0, transform)
