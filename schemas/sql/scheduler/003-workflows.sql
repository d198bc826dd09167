-- Runs that run-job tasks start, repairs of runs, and what each attempt ran.

ALTER TABLE runs
    -- The attempt that a run was made for: one run an attempt, however often it is asked for.
    ADD COLUMN parent_attempt text UNIQUE,
    ADD COLUMN parent_run_id  bigint,
    -- How many runs are above it.
    ADD COLUMN depth          integer NOT NULL DEFAULT 0;

ALTER TABLE attempts
    ADD COLUMN revision_id  bigint,
    ADD COLUMN child_run_id bigint;

-- Which execution of the run a cluster was made for: 0 for the original, then the number of the repair.
ALTER TABLE run_clusters ADD COLUMN repair integer NOT NULL DEFAULT 0;
