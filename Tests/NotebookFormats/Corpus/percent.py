# ---
# jupyter:
#   kernelspec:
#     name: python3
# ---

# %% [markdown]
# # Title
#
# text

# %% Read tags=["a"]
import csv

# %%
# %sql
# SELECT 1

# %% Sum up
total = 0


# %% [raw]
# raw text
