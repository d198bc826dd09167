"""`dbutils`: the part of it that notebooks need today."""

from . import showing

_MISSING = object()


class NotebookExit(BaseException):
    """Ends a run from inside a cell. Not an Exception, so that `except Exception` does not hold it up."""


class Widgets:
    """A notebook's parameters: what the run gave, or else the default that the notebook declared."""

    def __init__(self):
        self._given, self._defaults, self._choices = {}, {}, {}

    def _declare(self, name, default, choices=None):
        self._defaults[name] = str(default)
        if choices is not None:
            self._choices[name] = [str(choice) for choice in choices]

    def text(self, name, defaultValue="", label=None):  # noqa: N803, the field's names
        """Declares a parameter."""
        self._declare(name, defaultValue)

    def dropdown(self, name, defaultValue, choices, label=None):  # noqa: N803
        """Declares a parameter with one value of a list."""
        if str(defaultValue) not in [str(choice) for choice in choices]:
            raise ValueError(f"The default of {name!r} has to be one of its choices.")
        self._declare(name, defaultValue, choices)

    def combobox(self, name, defaultValue, choices, label=None):  # noqa: N803
        """Declares a parameter with proposals."""
        self._declare(name, defaultValue)

    def multiselect(self, name, defaultValue, choices, label=None):  # noqa: N803
        """Declares a parameter with some values of a list, separated by commas."""
        self._declare(name, defaultValue)

    def get(self, name):
        """The value, always a string. Raises KeyError for a name that was neither given nor declared."""
        if name in self._given:
            return self._given[name]
        if name in self._defaults:
            return self._defaults[name]
        raise KeyError(f"No parameter {name!r}: give it to the run, or declare it with dbutils.widgets.text.")

    def getArgument(self, name, defaultValue=_MISSING):  # noqa: N802, N803
        """Like `get`, with a default."""
        if defaultValue is not _MISSING and name not in self.getAll():
            return defaultValue
        return self.get(name)

    def getAll(self):  # noqa: N802
        """All parameters."""
        return {**self._defaults, **self._given}

    def remove(self, name):
        """Takes a declaration back."""
        self._defaults.pop(name, None)
        self._choices.pop(name, None)

    def removeAll(self):  # noqa: N802
        """Takes all declarations back."""
        self._defaults.clear()
        self._choices.clear()


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
        self.widgets, self.notebook, self.jobs = Widgets(), Notebook(), Jobs()

    @property
    def secrets(self):
        """Not there yet."""
        raise NotImplementedError("dbutils.secrets is not available on this cluster yet.")

    def assign(self, parameters, task_values):
        """The run's parameters and the values of earlier tasks."""
        self.widgets._given = {str(name): str(value) for name, value in (parameters or {}).items()}
        self.jobs.taskValues._given = dict(task_values or {})


dbutils = DBUtils()
