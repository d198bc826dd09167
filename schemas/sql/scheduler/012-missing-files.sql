-- Files that a listing did not have are remembered for a while: object storages sometimes leave one out, and it is no
-- arrival when it is there again.

ALTER TABLE arrived_files ADD COLUMN missing_since timestamptz;
CREATE INDEX arrived_files_missing ON arrived_files (job_id, missing_since) WHERE missing_since IS NOT NULL;
