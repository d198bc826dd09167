"""`dbutils`: what notebooks find under that name."""

from . import showing
from .secret_values import Secrets
from .widgets import Widgets

_MISSING = object()


class NotebookExit(BaseException):
    """Ends a run from inside a cell. Not an Exception, so that `except Exception` does not hold it up."""


class Notebook:
    """`dbutils.notebook`."""

    def exit(self, value=""):
        """Ends the run here and gives it a result: a string."""
        text = value if isinstance(value, str) else str(value)
        showing.publish({showing.EXIT_MIME: {"value": text}, "text/plain": f"Notebook exited: {text}"})
        raise NotebookExit(text)


class TaskValues:
    """`dbutils.jobs.taskValues`: small values that one task of a run leaves for the later ones."""

    def __init__(self):
        self._given, self._own = {}, {}

    def set(self, key, value):
        """Leaves a JSON value. Raises TypeError for a value that JSON does not have."""
        import json

        if len(json.dumps(value)) > 48 * 1024:
            raise ValueError("A task value may take 48 KiB; leave larger ones in a file or a table.")
        self._own[str(key)] = value
        shown = {showing.TASK_VALUE_MIME: {"key": str(key), "value": value}, "text/plain": f"{key} = {value!r}"}
        showing.publish(shown)

    def get(self, taskKey, key, default=_MISSING, debugValue=_MISSING):  # noqa: N803
        """What the task `taskKey` left; `debugValue` where the notebook does not run in a job."""
        values = self._given.get(taskKey)
        if values is not None and key in values:
            return values[key]
        for fallback in (debugValue, default) if not self._given else (default,):
            if fallback is not _MISSING:
                return fallback
        raise KeyError(f"The task {taskKey!r} left no value {key!r}, and no default was given.")


class Jobs:
    """`dbutils.jobs`."""

    def __init__(self):
        self.taskValues = TaskValues()  # noqa: N815


class DBUtils:
    """What a notebook finds as `dbutils`."""

    def __init__(self):
        self.widgets, self.notebook, self.jobs, self.secrets = Widgets(), Notebook(), Jobs(), Secrets()

    def assign(self, parameters, task_values):
        """The run's parameters and the values of earlier tasks."""
        self.widgets.give(parameters or {})
        self.jobs.taskValues._given = dict(task_values or {})


dbutils = DBUtils()
