-- Databricks notebook source
SELECT 1

-- COMMAND ----------

-- MAGIC %python
-- MAGIC print("hello")

-- COMMAND ----------

-- MAGIC %md ## Result

-- COMMAND ----------

-- DBTITLE 1,Ports by size
SELECT name -- the name
FROM ports
ORDER BY size;
