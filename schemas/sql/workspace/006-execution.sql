-- What runs in notebooks: the queue of each, what happened in it, numbered, and what its cells have put out.

-- A row for each notebook that was run or watched. It is locked by whoever changes anything below, so that events are
-- numbered without gaps and in the order of their commits.
CREATE TABLE notebook_sessions (
    notebook_id      bigint PRIMARY KEY REFERENCES objects (object_id),
    cluster_id       text,
    -- Counts contexts, which are named by it.
    generation       bigint NOT NULL DEFAULT 0,
    kernel           text NOT NULL DEFAULT 'ABSENT' CHECK (kernel IN ('ABSENT', 'STARTING', 'READY', 'LOST')),
    message          text,
    restart_wanted   boolean NOT NULL DEFAULT false,
    last_sequence    bigint NOT NULL DEFAULT 0,
    -- Events up to here are gone: their outcome is in cell_outputs and cell_commands.
    pruned_sequence  bigint NOT NULL DEFAULT 0,
    last_position    bigint NOT NULL DEFAULT 0,
    -- Whether somebody has to act: then one process owns the notebook, by a lease that it renews.
    has_work         boolean NOT NULL DEFAULT false,
    owner            text,
    lease_until      timestamptz,
    -- Grows with each claim; what an old owner writes is refused.
    fence            bigint NOT NULL DEFAULT 0
);
CREATE INDEX notebook_sessions_with_work ON notebook_sessions (lease_until) WHERE has_work;

CREATE TABLE cell_commands (
    command_id      text COLLATE "C" PRIMARY KEY,
    notebook_id     bigint NOT NULL REFERENCES notebook_sessions (notebook_id),
    position        bigint NOT NULL,
    batch_id        text NOT NULL,
    cell_id         text NOT NULL,
    language        text NOT NULL,
    source          text NOT NULL,
    source_hash     text NOT NULL,
    user_name       text NOT NULL,
    state           text NOT NULL CHECK (state IN ('QUEUED', 'RUNNING', 'FINISHED', 'ERROR', 'CANCELLED', 'SKIPPED')),
    is_cancelling   boolean NOT NULL DEFAULT false,
    -- Where it runs; set with RUNNING, before the cluster is asked, so that whoever comes next knows whom to ask.
    cluster_id      text,
    context_id      text,
    submitted_at    timestamptz NOT NULL,
    started_at      timestamptz,
    ended_at        timestamptz,
    execution_count bigint,
    -- JSON; as text, because it may hold characters that jsonb does not take.
    error           text,
    UNIQUE (notebook_id, position)
);
CREATE INDEX cell_commands_open ON cell_commands (notebook_id, position) WHERE state IN ('QUEUED', 'RUNNING');

CREATE INDEX cell_commands_by_batch ON cell_commands (notebook_id, batch_id);

CREATE TABLE cell_events (
    notebook_id      bigint NOT NULL REFERENCES notebook_sessions (notebook_id),
    sequence         bigint NOT NULL,
    -- As it is told; what is large is left out there and kept whole beside it while the command runs.
    payload          text NOT NULL,
    whole            text,
    -- Of outputs: the command, and the number of the command's event.
    command_id       text COLLATE "C",
    command_sequence bigint,
    PRIMARY KEY (notebook_id, sequence)
);
-- An event of a command is written once, however often it is heard.
CREATE UNIQUE INDEX cell_events_by_command ON cell_events (command_id, command_sequence) WHERE command_id IS NOT NULL;

-- What the last run of each cell has put out, instead of what the revision has there.
CREATE TABLE cell_outputs (
    notebook_id     bigint NOT NULL REFERENCES notebook_sessions (notebook_id),
    cell_id         text COLLATE "C" NOT NULL,
    command_id      text NOT NULL,
    execution_count bigint,
    -- An LZ4 frame of a JSON array; null while the command runs, whose events then say it.
    outputs         bytea,
    PRIMARY KEY (notebook_id, cell_id)
);
ALTER TABLE cell_outputs ALTER COLUMN outputs SET STORAGE EXTERNAL;

-- Who looks at a notebook. Worth nothing after a crash of the database.
CREATE UNLOGGED TABLE live_presence (
    client_id   text PRIMARY KEY,
    notebook_id bigint NOT NULL,
    user_name   text NOT NULL,
    cell_id     text,
    is_editing  boolean NOT NULL DEFAULT false,
    -- The process that has the connection; without renewal its clients have gone.
    process     text NOT NULL,
    lease_until timestamptz NOT NULL
);
CREATE INDEX live_presence_by_notebook ON live_presence (notebook_id);
