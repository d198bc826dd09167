"""What a user sees of an error: their own frames, Spark's condition and sentence; the whole stays available."""

import re
import traceback
import types
from contextlib import contextmanager

_FULL_LIMIT = 100_000
_FOREIGN = re.compile(r"[/\\](pyspark|py4j|IPython|ipykernel|harbour_runtime)[/\\]|^<frozen ")
# Where Spark's message ends and its plans, Java frames and repeated SQL begin.
_MESSAGE_END = re.compile(
    r"\n\nJVM stacktrace:|;\n['!+\w]|\n+== SQL|\n\s*== DataFrame ==|\n\tat |\nDriver stacktrace:|\n\s*Caused by: "
)
_CELL_FILE = re.compile(r'File "[^"]*ipykernel_\d+/\d+\.py"')
_POSITION = re.compile(r"\bline (\d+),? pos(?:ition)? (\d+)")
_STATE = re.compile(r"SQLSTATE: (\w{5})")
_CONDITION = re.compile(r"^\[([A-Z][A-Z0-9_]*(?:\.[A-Z0-9_]+)*)\]")


class QuietError(Exception):
    """An error of a cell that is no Python code: shown by its message alone."""


class SqlError(QuietError):
    """A SQL statement that Spark refused or could not finish."""


class ShellError(QuietError):
    """A shell cell that ended with a status other than 0."""


class Description:
    """An error in the form that is shown and sent."""

    def __init__(self, error):
        self.name = type(error).__name__
        self.error_class = self.sql_state = self.line = self.position = None
        self.from_spark = is_from_spark(error)
        cause = error.__cause__ if isinstance(error, SqlError) and error.__cause__ else error
        self.message = short_message(cause) if is_from_spark(cause) else str(error)
        self._find(self.message if not is_from_spark(cause) else spark_text(cause))

    def _find(self, text):
        condition, state, position = _CONDITION.search(text), _STATE.search(text), _POSITION.search(text)
        self.error_class = condition and condition.group(1)
        self.sql_state = state and state.group(1)
        if position:
            self.line, self.position = int(position.group(1)), int(position.group(2))

    def metadata(self, error):
        """What travels beside the error message."""
        full = "".join(traceback.format_exception(error))[-_FULL_LIMIT:]
        values = {
            "error_class": self.error_class,
            "sql_state": self.sql_state,
            "line": self.line,
            "position": self.position,
            "full_traceback": full.split("\n"),
        }
        return {name: value for name, value in values.items() if value is not None}


def is_from_spark(error):
    """Whether the error came out of Spark or its JVM."""
    return type(error).__module__.partition(".")[0] in ("pyspark", "py4j")


def spark_text(error):
    """Spark's own text of an error, Java frames and all."""
    # Asking a captured exception for its text asks the JVM, which may be what went away.
    text = getattr(error, "_desc", None)
    if not text and hasattr(error, "java_exception"):
        try:
            text = error.java_exception.getMessage() or str(error.java_exception)
        except Exception:  # The connection is what broke: there is nothing more to learn.
            text = "Spark does not answer."
    return str(text or error).strip()


def short_message(error):
    """Spark's sentence with its condition, without plans and Java frames; where it happened at the end."""
    text = spark_text(error)
    python_part = _python_worker_part(text)
    cut = _MESSAGE_END.search(text)
    message = (text[: cut.start()] if cut else text).strip()
    position = _POSITION.search(text)
    if position and not _POSITION.search(message):
        message += f" (line {position.group(1)}, position {position.group(2)})"
    if python_part:
        message = message.split("\n")[0] + "\n" + python_part
    return message[:4000]


def _python_worker_part(text):
    """The traceback inside a Python worker, folded to the user's code: its last line says what went wrong."""
    start = text.find("Traceback (most recent call last):")
    if start < 0:
        return ""
    lines, kept, foreign = text[start:].split("\n"), [], False
    for line in lines[1:]:
        if line.startswith('  File "'):
            foreign = bool(_FOREIGN.search(line)) or "/pyspark.zip/" in line
        elif not line.startswith("    "):
            kept.append(line)
            if line.strip():
                break
            continue
        if not foreign:
            kept.append(_CELL_FILE.sub("Cell", line))
    return "\n".join(kept).strip()


def fold(trace):
    """The traceback without the frames of Spark, IPython and this package; whole when nothing else is left."""
    frames = []
    while trace is not None:
        if not _FOREIGN.search(trace.tb_frame.f_code.co_filename):
            frames.append(trace)
        trace = trace.tb_next
    folded = None
    for frame in reversed(frames):
        folded = types.TracebackType(folded, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return folded


def stand_in(description):
    """An error of the same name: the text of one of Spark's own may be 200 lines of Java."""
    return type(description.name, (Exception,), {"__module__": "builtins"})(description.message)


@contextmanager
def folded(error):
    """While an error is shown: what led to it is folded as it is itself, and Spark's errors among that are short."""
    changed, seen = [], {id(error)}
    try:
        while (earlier := _led_to(error)) is not None and id(earlier) not in seen:
            seen.add(id(earlier))
            whole = earlier.__traceback__
            if is_from_spark(earlier):
                _exchange(error, earlier, stand_in(Description(earlier)).with_traceback(fold(whole)))
                changed.append(lambda holder=error, hidden=earlier: _exchange(holder, _led_to(holder), hidden))
                break
            changed.append(lambda holder=earlier, whole=whole: _set(holder, "__traceback__", whole))
            _set(earlier, "__traceback__", fold(whole))
            error = earlier
        yield
    finally:
        for undo in changed:
            undo()


def _led_to(error):
    hidden = error.__suppress_context__ or error.__cause__ is not None
    return error.__cause__ if hidden else error.__context__


def _set(error, name, value):
    """Past what a class of the user's makes of setting attributes: one of a frozen dataclass refuses it."""
    getattr(BaseException, name).__set__(error, value)


def _exchange(error, earlier, other):
    _set(error, "__cause__" if error.__cause__ is earlier else "__context__", other)
