"""Python values as JSON that loses nothing a reader of a table would miss."""

import base64
import datetime
import decimal
import json
import math

# The largest integer that every JSON reader keeps exact (RFC 8259, section 6).
_EXACT = 2**53 - 1
_TEXT_LIMIT = 65536
_DEPTH_LIMIT = 32


class Converter:
    """Converts values; `shortened` tells whether a long text was cut."""

    def __init__(self):
        self.shortened = False

    def convert(self, value, depth=0):
        """A JSON-safe value. Never raises for strange values: they become their text."""
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return self._text(value)
        if kind is int:
            return value if -_EXACT <= value <= _EXACT else str(value)
        if kind is float:
            return _number(value)
        if depth > _DEPTH_LIMIT:
            return self._text(str(value))
        return self._other(value, depth)

    def _other(self, value, depth):
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self._text(base64.b64encode(bytes(value)).decode())
        if isinstance(value, decimal.Decimal):
            return format(value, "f") if value.is_finite() else str(value)
        if isinstance(value, datetime.datetime):
            return None if value != value else value.isoformat()  # pandas' NaT is no equal of itself.
        if isinstance(value, (datetime.date, datetime.time)):
            return value.isoformat()
        if hasattr(value, "__fields__"):  # A Spark Row, which is a tuple too.
            pairs = zip(value.__fields__, value, strict=False)
            return {str(name): self.convert(each, depth + 1) for name, each in pairs}
        if isinstance(value, dict):
            return {self._key(key): self.convert(each, depth + 1) for key, each in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.convert(each, depth + 1) for each in value]
        return self._foreign(value, depth)

    def _foreign(self, value, depth):
        """numpy's and pandas' scalars and arrays, known by what they can do; anything else by its text."""
        kind = type(value)
        if kind.__name__ in ("NAType", "NaTType"):
            return None
        if kind.__module__.partition(".")[0] == "numpy":
            if hasattr(value, "tolist") and kind.__name__ not in ("datetime64", "timedelta64"):
                return self.convert(value.tolist(), depth + 1)
            return None if str(value) == "NaT" else str(value)
        return self._text(str(value))

    def _key(self, key):
        if isinstance(key, str):
            return key
        converted = self.convert(key)
        return converted if isinstance(converted, str) else json.dumps(converted)

    def _text(self, value):
        if len(value) > _TEXT_LIMIT:
            self.shortened = True
            value = value[:_TEXT_LIMIT] + "…"
        # A lone surrogate is no text that UTF-8 can carry.
        return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _number(value):
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
