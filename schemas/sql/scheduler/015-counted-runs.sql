-- The home page counts all runs of the last days by their job and maker, and how they ended; the index has all of that.
CREATE INDEX runs_created ON runs (created_at) INCLUDE (job_id, creator, phase, result);
