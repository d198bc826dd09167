"""The command a kernel is running now: read by all threads that talk to Spark, written by the main one."""

import itertools

_versions = itertools.count(1)


class Current:
    """Identity and limits of the running command. `version` changes with every command."""

    def __init__(self):
        self.command_id = ""
        self.description = ""
        self.version = 0
        self.max_rows = MAX_ROWS
        self.max_bytes = MAX_BYTES

    def begin(self, command_id, code, max_rows=None, max_bytes=None):
        """A command starts; jobs of all threads belong to it from now on."""
        self.description = code.strip()[:200]
        self.max_rows = _lowered(MAX_ROWS, max_rows)
        self.max_bytes = _lowered(MAX_BYTES, max_bytes)
        self.command_id = command_id
        self.version = next(_versions)


MAX_ROWS = 1000
MAX_BYTES = 2 * 1024 * 1024


def _lowered(limit, wish):
    usable = isinstance(wish, int) and not isinstance(wish, bool) and wish >= 0
    return min(limit, wish) if usable else limit


current = Current()
