-- What makes jobs run by themselves besides schedules, and backfills.

ALTER TABLE jobs
    -- How many runs of a continuous job have failed one after the other.
    ADD COLUMN failures integer NOT NULL DEFAULT 0;
CREATE INDEX jobs_after_job ON jobs (((settings #>> '{trigger,job_completion,job_id}')::bigint))
    WHERE deleted_at IS NULL AND settings #>> '{trigger,job_completion,job_id}' IS NOT NULL;

CREATE TABLE backfills (
    backfill_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id            bigint NOT NULL REFERENCES jobs (job_id),
    creator           text NOT NULL,
    created_at        timestamptz NOT NULL,
    start_at          timestamptz NOT NULL,
    end_at            timestamptz NOT NULL,
    idempotency_token text,
    UNIQUE (creator, idempotency_token)
);
CREATE INDEX backfills_of_job ON backfills (job_id, backfill_id DESC);

ALTER TABLE runs
    ADD COLUMN backfill_id bigint REFERENCES backfills (backfill_id),
    ADD COLUMN backfill_at timestamptz,
    -- False from the end of a run until those who wait for it have been told.
    ADD COLUMN announced   boolean NOT NULL DEFAULT true,
    ADD UNIQUE (backfill_id, backfill_at);
CREATE INDEX runs_unannounced ON runs (run_id) WHERE NOT announced;
