# Databricks notebook source
# MAGIC %md
# MAGIC # Flights: the report
# MAGIC
# MAGIC Reads what `01_ingest` stored: a table of the airlines, a picture of the day, and a summary as the run's result.

# COMMAND ----------

import json
from pathlib import Path

dbutils.widgets.text("data_dir", "/tmp/dataharbour-samples")
source = (Path(dbutils.widgets.get("data_dir")).resolve() / "flights").as_uri()

spark.read.parquet(source).createOrReplaceTempView("flights")

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT airline,
# MAGIC        count(*)                               AS flights,
# MAGIC        count_if(cancelled)                    AS cancelled,
# MAGIC        round(100 * avg(cast(late AS int)), 1) AS late_percent,
# MAGIC        round(avg(arr_delay), 1)               AS minutes_late
# MAGIC FROM flights
# MAGIC GROUP BY airline
# MAGIC HAVING count(*) >= 100
# MAGIC ORDER BY minutes_late

# COMMAND ----------

summary = _sqldf.toPandas()

# COMMAND ----------

import matplotlib.pyplot as plt

by_hour = sql("SELECT hour, avg(dep_delay) AS minutes FROM flights GROUP BY hour ORDER BY hour").toPandas()

figure, axes = plt.subplots(figsize=(8, 3.5))
axes.bar(by_hour["hour"], by_hour["minutes"], color="#2f6f9f")
axes.set_xlabel("hour of departure")
axes.set_ylabel("minutes late, on average")
axes.set_title("Delays build up over the day")
figure.tight_layout()
plt.show()

# COMMAND ----------

dbutils.notebook.exit(
    json.dumps(
        {
            "title": "New York's airlines, first week of January 2013",
            "columns": list(summary.columns),
            "rows": summary.values.tolist(),
        }
    )
)
