"""`dbutils.widgets`: a notebook's parameters, which the run gives or a person chooses in the page."""

from dataclasses import dataclass

_MISSING = object()

MAX_WIDGETS = 200
MAX_NAME = 128
MAX_LABEL = 256
MAX_CHOICES = 1024
MAX_VALUE = 64 * 1024
# All declarations of a notebook travel with every command.
MAX_TOTAL = 256 * 1024


def checked(text, what, limit):
    """The text, if it can be kept everywhere. Raises `ValueError`; limits are bytes of UTF-8."""
    text = str(text)
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise ValueError(f"{what} has a character that is no text (a lone surrogate). Leave it out.") from error
    if "\0" in text:
        raise ValueError(f"{what} has a NUL character. Leave it out.")
    if size > limit:
        raise ValueError(f"{what} has {size} bytes and may have {limit}. Keep long texts in a file or a table.")
    return text


@dataclass(frozen=True)
class Widget:
    """What a notebook says of one parameter."""

    kind: str
    name: str
    default: str
    label: str | None = None
    choices: tuple = ()

    @classmethod
    def declared(cls, kind, name, default, choices=None, label=None):
        """A declaration of a notebook. Raises `ValueError` for one that cannot be kept or shown."""
        if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME:
            raise ValueError(f"A widget's name is a text of 1 to {MAX_NAME} characters; this was {name!r:.200}.")
        name = checked(name, "The widget's name", 4 * MAX_NAME)
        if label is not None:
            label = checked(label, f"The label of the widget {name!r}", MAX_LABEL) or None
        given = () if choices is None else (choices,) if isinstance(choices, str) else tuple(choices)
        if len(given) > MAX_CHOICES:
            raise ValueError(f"The widget {name!r} has {len(given)} choices and may have {MAX_CHOICES}.")
        given = tuple(dict.fromkeys(checked(one, f"A choice of the widget {name!r}", MAX_VALUE) for one in given))
        if kind == "MULTISELECT" and any("," in choice for choice in given):
            raise ValueError(f"The values of {name!r} are separated by commas, so that none of its choices can have one.")
        widget = cls(kind, name, checked(default, f"The default of the widget {name!r}", MAX_VALUE), label, given)
        widget.require(widget.default, "The default")
        return widget

    @classmethod
    def received(cls, value):
        """A declaration that the workspace has kept."""
        return cls(
            value["kind"], value["name"], value["default_value"], value.get("label"), tuple(value.get("choices") or ())
        )

    def sent(self):
        """The same as it is told."""
        value = {"kind": self.kind, "name": self.name, "default_value": self.default}
        if self.label is not None:
            value["label"] = self.label
        if self.choices:
            value["choices"] = list(self.choices)
        return value

    @property
    def size(self):
        """About what it takes, in bytes."""
        return sum(len(text.encode("utf-8")) + 8 for text in (self.name, self.default, self.label or "", *self.choices))

    def allows(self, value):
        """Whether it can have this value."""
        if self.kind == "DROPDOWN":
            return value in self.choices
        if self.kind == "MULTISELECT":
            return value == "" or all(part in self.choices for part in value.split(","))
        return True

    def require(self, value, whose):
        """Raises `ValueError` for a value that it cannot have."""
        if not self.allows(value):
            shown = ", ".join(repr(choice) for choice in self.choices[:20]) + (", ..." if len(self.choices) > 20 else "")
            raise ValueError(f"{whose} of {self.name!r} is {value!r:.200}, which is none of its choices: {shown}.")


class Widgets:
    """A notebook's parameters: what the run gave, what a person chose, or else the default that the notebook declared.

    What is declared belongs to the notebook and not to its kernel: the workspace gives it with each command, and is told
    what the command has changed.
    """

    def __init__(self):
        self._given, self._declared, self._chosen = {}, {}, {}
        # What the running command has changed, as names.
        self._removed, self._new = {}, {}

    # --- for the kernel

    def give(self, parameters):
        """The run's parameters."""
        self._given = {str(name): str(value) for name, value in parameters.items()}

    def begin(self, kept):
        """A command begins; what the notebook has, and what people chose, when that is known."""
        self._removed, self._new = {}, {}
        if kept is None:
            return
        widgets = [Widget.received(value) for value in kept]
        self._declared = {widget.name: widget for widget in widgets}
        self._chosen = {value["name"]: value["value"] for value in kept if value.get("value") is not None}

    def changes(self):
        """What the command has changed, or None. What was removed comes first, then what was declared, in its order."""
        if not self._removed and not self._new:
            return None
        return {"removed": list(self._removed), "declared": [self._declared[name].sent() for name in self._new]}

    # --- for notebooks

    def text(self, name, defaultValue="", label=None):  # noqa: N803, the field's names
        """Declares a parameter."""
        self._declare("TEXT", name, defaultValue, None, label)

    def dropdown(self, name, defaultValue, choices, label=None):  # noqa: N803
        """Declares a parameter with one value of a list."""
        self._declare("DROPDOWN", name, defaultValue, choices, label)

    def combobox(self, name, defaultValue, choices, label=None):  # noqa: N803
        """Declares a parameter with proposals."""
        self._declare("COMBOBOX", name, defaultValue, choices, label)

    def multiselect(self, name, defaultValue, choices, label=None):  # noqa: N803
        """Declares a parameter with some values of a list, separated by commas."""
        self._declare("MULTISELECT", name, defaultValue, choices, label)

    def get(self, name):
        """The value, always a string. Raises KeyError for a name that was neither given nor declared."""
        for values in (self._given, self._chosen):
            if name in values:
                return values[name]
        if name in self._declared:
            return self._declared[name].default
        raise KeyError(f"No parameter {name!r}: give it to the run, or declare it with dbutils.widgets.text.")

    def getArgument(self, name, defaultValue=_MISSING):  # noqa: N802, N803
        """Like `get`, with a default."""
        if defaultValue is not _MISSING and name not in self._given and name not in self._declared:
            return defaultValue
        return self.get(name)

    def getAll(self):  # noqa: N802
        """All parameters."""
        return {name: self.get(name) for name in {**self._declared, **self._given}}

    def remove(self, name):
        """Takes a declaration back, and what was chosen for it."""
        if self._declared.pop(name, None) is None:
            return
        self._chosen.pop(name, None)
        self._new.pop(name, None)
        self._removed[name] = True

    def removeAll(self):  # noqa: N802
        """Takes all declarations back."""
        for name in list(self._declared):
            self.remove(name)

    def _declare(self, kind, name, default, choices, label):
        widget = Widget.declared(kind, name, default, choices, label)
        known = self._declared.get(widget.name)
        if known == widget:
            return
        others = [other for other in self._declared.values() if other is not known]
        if len(others) >= MAX_WIDGETS:
            raise ValueError(f"A notebook may have {MAX_WIDGETS} widgets. Remove some, or leave their values in one text.")
        if sum(other.size for other in others) + widget.size > MAX_TOTAL:
            raise ValueError(f"The widgets of a notebook may take {MAX_TOTAL} bytes together. Shorten their choices.")
        if widget.name in self._given:
            widget.require(self._given[widget.name], "The value that the run gave")
        if not widget.allows(self._chosen.get(widget.name, widget.default)):
            # It was chosen of a list that is another one now.
            del self._chosen[widget.name]
        self._declared[widget.name] = widget
        self._new[widget.name] = True
