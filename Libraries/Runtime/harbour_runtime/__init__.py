"""The Python runtime of DataHarbour's clusters. See README.md beside this package for the protocols."""

__version__ = "0.1.0"

_LAZY = {
    "attach": "session",
    "run_sql": "sql",
    "display": "showing",
    "displayHTML": "showing",
    "dbutils": "utilities",
}


def __getattr__(name):
    # Late, because the host needs none of it and starts faster without.
    import importlib

    if name not in _LAZY:
        raise AttributeError(f"module 'harbour_runtime' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
