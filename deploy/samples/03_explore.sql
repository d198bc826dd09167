-- Databricks notebook source
-- MAGIC %md
-- MAGIC # Flights in SQL
-- MAGIC
-- MAGIC Needs the parameter `data_dir` and what `01_ingest` stored there.

-- COMMAND ----------

-- The busiest routes of the week.
SELECT origin, dest, count(*) AS flights, round(avg(distance)) AS miles
FROM IDENTIFIER('parquet.`' || :data_dir || '/flights`')
GROUP BY origin, dest
ORDER BY flights DESC, origin, dest
LIMIT 10

-- COMMAND ----------

-- Each day's worst flight; several statements of a cell run in order and the last one's result is shown.
SET spark.sql.session.timeZone = America/New_York;
SELECT day, airline, flight, dest, arr_delay AS minutes_late
FROM IDENTIFIER('parquet.`' || :data_dir || '/flights`')
QUALIFY row_number() OVER (PARTITION BY day ORDER BY arr_delay DESC NULLS LAST) = 1
ORDER BY day
