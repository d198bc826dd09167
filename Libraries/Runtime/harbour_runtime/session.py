"""What turns a warm kernel into a context's: the names in the user's namespace."""

import builtins

from .utilities import dbutils
from .showing import display, displayHTML
from .errors import QuietError
from .link import link
from .sql import run_sql


class Context:
    """The context this kernel serves; its id is None while the kernel is a spare."""

    def __init__(self):
        self.context_id = None


context = Context()


class AlreadyAttached(QuietError):
    """A kernel serves one context only."""


def names():
    """What every notebook finds without importing it, Spark apart."""
    return {"display": display, "displayHTML": displayHTML, "dbutils": dbutils}


def attach(context_id, parameters=None, task_values=None, namespace=None):
    """Gives this kernel to a context: its parameters, then `spark`, `sc` and `sql`.

    Waits for Spark. Raises `SparkUnavailable` when there is none, `AlreadyAttached` for another context's kernel.
    """
    if context.context_id not in (None, context_id):
        raise AlreadyAttached(f"This kernel serves the context {context.context_id}.")
    dbutils.assign(parameters, task_values)
    session = link.session()
    context.context_id = context_id
    if namespace is None:
        from IPython import get_ipython

        namespace = get_ipython().user_ns
    spark_names = {"spark": session, "sc": session.sparkContext, "sql": session.sql}
    namespace.update(names(), **spark_names)
    # For functions of modules that the notebook imports, as in the field's notebooks.
    builtins.dbutils = dbutils
    return session


__all__ = ["attach", "context", "names", "run_sql"]
