-- Jobs that are made only if their maker has no other of that name, as `harbour jobs apply` makes them: two that are
-- applied at the same moment are one job.

ALTER TABLE jobs ADD COLUMN unique_name text;
CREATE UNIQUE INDEX jobs_by_unique_name ON jobs (creator, unique_name)
    WHERE deleted_at IS NULL AND unique_name IS NOT NULL;
