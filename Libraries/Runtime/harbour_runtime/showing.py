"""What `display` does, and how data frames show themselves as results."""

from . import tables

EXIT_MIME = "application/vnd.dataharbour.exit+json"
TASK_VALUE_MIME = "application/vnd.dataharbour.task-value+json"
WIDGETS_MIME = "application/vnd.dataharbour.widgets+json"


def publish(bundle):
    """Sends a display_data message with these mime types."""
    from IPython.display import publish_display_data

    publish_display_data(bundle)


def display(*values, **options):
    """Shows values: data frames as tables, figures as pictures, anything else as IPython does."""
    from IPython.display import display as show

    for value in values:
        table = table_of(value)
        if table is not None:
            publish(table.bundle())
        else:
            show(value, **options)


def displayHTML(text):  # noqa: N802, the field's name for it
    """Shows HTML."""
    publish({"text/html": str(text), "text/plain": str(text)})


def table_of(value):
    """A `Table` of a Spark or pandas data frame, None for other values. Does not import either."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    if package == "pyspark" and kind.__name__ == "DataFrame" and hasattr(value, "_jdf"):
        return tables.from_spark(value)
    if package == "pandas" and kind.__name__ in ("DataFrame", "Series"):
        return tables.from_pandas(value)
    return None


def show_result(frame):
    """Shows the result of a SQL cell; statements without columns have nothing to show."""
    if frame is not None and frame.columns:
        publish(tables.from_spark(frame).bundle())


def install(shell):
    """Makes data frames that end a cell show as tables."""
    formatter = shell.display_formatter.mimebundle_formatter

    def bundle(value, include=None, exclude=None):
        table = table_of(value)
        return table.bundle() if table is not None else None

    for module, name in (
        ("pyspark.sql.classic.dataframe", "DataFrame"),
        ("pandas.core.frame", "DataFrame"),
        ("pandas.core.series", "Series"),
        ("pandas", "DataFrame"),
        ("pandas", "Series"),
    ):
        formatter.for_type_by_name(module, name, bundle)
