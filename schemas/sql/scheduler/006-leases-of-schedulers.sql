-- A lease is a scheduler's, not a run's: renewing it is one small write, however many runs it is for.

CREATE TABLE schedulers (
    owner       text PRIMARY KEY,
    lease_until timestamptz NOT NULL
);
-- A scheduler that kept its leases in the runs is not there any more.
UPDATE runs SET owner = NULL WHERE owner IS NOT NULL;
ALTER TABLE runs DROP COLUMN lease_until;

-- What waits and what runs, by job and in the order of claims; who owns what; queued runs that were cancelled.
CREATE INDEX runs_waiting ON runs (phase, job_id, (backfill_id IS NOT NULL), run_id) WHERE phase <> 'TERMINATED';
CREATE INDEX runs_owned ON runs (owner) WHERE phase = 'RUNNING';
CREATE INDEX runs_cancelled ON runs (run_id) WHERE phase = 'QUEUED' AND cancel_requested;

-- Rows are written several times while they are new: room for the next version on the same page saves their indexes.
ALTER TABLE runs SET (fillfactor = 70);
ALTER TABLE tasks SET (fillfactor = 70);
ALTER TABLE attempts SET (fillfactor = 70);

-- What an owner writes names a run that it holds, with the fence; looking the run up again for each row costs as much as
-- the row.
ALTER TABLE tasks DROP CONSTRAINT tasks_run_id_fkey;
ALTER TABLE attempts DROP CONSTRAINT attempts_run_id_fkey;
ALTER TABLE cells DROP CONSTRAINT cells_attempt_id_fkey;
ALTER TABLE run_events DROP CONSTRAINT run_events_run_id_fkey;
