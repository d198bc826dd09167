# Databricks notebook source
# MAGIC %md
# MAGIC # Harbour masters
# MAGIC
# MAGIC One table, *two* queries.

# COMMAND ----------

# DBTITLE 1,Read the table
df = spark.read.csv("/data/harbours.csv", header=True)

df.createOrReplaceTempView("harbours")

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT country, count(*)
# MAGIC FROM harbours
# MAGIC GROUP BY country

# COMMAND ----------

# MAGIC %sh
# MAGIC ls -l /data

# COMMAND ----------

# MAGIC %pip install humanize

# COMMAND ----------

# MAGIC %md-sandbox
# MAGIC <div>wide</div>

# COMMAND ----------

# MAGIC %time df.count()

# COMMAND ----------


# COMMAND ----------

def tonnes(x):
    return x * 1000
