-- Jobs, their runs, and what the runs left behind. The scheduler alone reads and writes this schema.

CREATE TABLE jobs (
    job_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL,
    creator      text NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    -- A deleted job stays, because its runs point to it.
    deleted_at   timestamptz,
    settings     jsonb NOT NULL,
    max_active   integer NOT NULL,
    -- When its schedule fires next; null without a schedule, paused or deleted.
    next_fire_at timestamptz
);
CREATE INDEX jobs_by_name ON jobs (name) WHERE deleted_at IS NULL;
CREATE INDEX jobs_due ON jobs (next_fire_at) WHERE next_fire_at IS NOT NULL;

CREATE TABLE runs (
    run_id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id            bigint REFERENCES jobs (job_id),
    run_name          text NOT NULL,
    trigger           text NOT NULL,
    creator           text NOT NULL,
    -- When a schedule was due: one run a job and time, however many schedulers see it.
    fire_at           timestamptz,
    idempotency_token text,
    created_at        timestamptz NOT NULL,
    -- The definition it started with; a later change of the job does not reach it.
    settings          jsonb NOT NULL,
    parameters        jsonb NOT NULL,
    -- QUEUED, RUNNING or TERMINATED; what people see is derived from this and the record.
    phase             text NOT NULL,
    cancel_requested  boolean NOT NULL DEFAULT false,
    -- The state machine's own record of the run, and the result when it has ended.
    record            jsonb NOT NULL,
    result            text,
    started_at        timestamptz,
    ended_at          timestamptz,
    -- Who decides for this run. Every write names the fence, so that an owner that was given up cannot write.
    owner             text,
    lease_until       timestamptz,
    fence             bigint NOT NULL DEFAULT 0,
    last_sequence     bigint NOT NULL DEFAULT 0,
    UNIQUE (job_id, fire_at),
    UNIQUE (creator, idempotency_token)
);
CREATE INDEX runs_open ON runs (run_id) WHERE phase <> 'TERMINATED';
CREATE INDEX runs_of_job ON runs (job_id, run_id DESC);

CREATE TABLE tasks (
    run_id        bigint NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    task_key      text NOT NULL,
    ordinal       integer NOT NULL,
    record        jsonb NOT NULL,
    -- The revision that was frozen when the run began.
    notebook_id   bigint,
    revision_id   bigint,
    PRIMARY KEY (run_id, ordinal)
);

CREATE TABLE attempts (
    attempt_id     text PRIMARY KEY,
    run_id         bigint NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    task_ordinal   integer NOT NULL,
    attempt_number integer NOT NULL,
    record         jsonb NOT NULL,
    cluster_id     text,
    executed_at    timestamptz,
    error          jsonb,
    -- The executed notebook as an LZ4 frame of nbformat JSON, written once at its end.
    notebook       bytea,
    truncated      boolean NOT NULL DEFAULT false,
    UNIQUE (run_id, task_ordinal, attempt_number)
);

-- Cells that have ended, so that whoever takes a run over begins with the next one.
CREATE TABLE cells (
    attempt_id text NOT NULL REFERENCES attempts (attempt_id) ON DELETE CASCADE,
    ordinal    integer NOT NULL,
    outputs    bytea NOT NULL,
    PRIMARY KEY (attempt_id, ordinal)
);

-- Clusters made for a run. A generation is made when the one before was lost.
CREATE TABLE run_clusters (
    run_id      bigint NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    cluster_key text NOT NULL,
    generation  integer NOT NULL,
    cluster_id  text NOT NULL,
    released    boolean NOT NULL DEFAULT false,
    PRIMARY KEY (run_id, cluster_key, generation)
);

-- What happened in a run, numbered, so that a reader can resume. An event of a cell is written once, whoever writes it.
CREATE TABLE run_events (
    run_id       bigint NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    sequence     bigint NOT NULL,
    payload      text NOT NULL,
    command_id   text,
    command_sequence bigint,
    PRIMARY KEY (run_id, sequence)
);
CREATE UNIQUE INDEX run_events_of_command ON run_events (command_id, command_sequence) WHERE command_id IS NOT NULL;
