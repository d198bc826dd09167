-- Runs that have been warned of because they take long: each once.

CREATE TABLE duration_warnings (
    run_id    bigint PRIMARY KEY REFERENCES runs (run_id) ON DELETE CASCADE,
    warned_at timestamptz NOT NULL
);
CREATE INDEX runs_with_health ON runs (run_id) WHERE phase <> 'TERMINATED' AND settings -> 'health' IS NOT NULL;
