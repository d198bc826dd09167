-- Clusters, what happened to them, and the commands that ran on them. Contexts live in the driver alone. The
-- cluster service alone reads and writes this schema.

-- One row: what tells our clusters from those of other installations on the same machine or engine.
CREATE TABLE installation (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    id       text NOT NULL
);

CREATE TABLE clusters (
    cluster_id       text PRIMARY KEY,
    backend          text NOT NULL,
    creator          text NOT NULL,
    -- What it was made for, such as a run; null for one that a person made.
    owner            text,
    -- As the user wrote it.
    spec             jsonb NOT NULL,
    -- As users see it: PENDING, RUNNING, ...
    state            text NOT NULL,
    -- The state machine's own record.
    record           jsonb NOT NULL,
    -- What callers of the driver must show; new with each start.
    driver_token     text NOT NULL,
    created_at       timestamptz NOT NULL,
    changed_at       timestamptz NOT NULL,
    last_activity_at timestamptz NOT NULL,
    -- The number of its newest event.
    last_event       bigint NOT NULL DEFAULT 0
);
CREATE INDEX clusters_newest ON clusters (created_at DESC, cluster_id DESC);
CREATE INDEX clusters_by_state ON clusters (state, created_at DESC, cluster_id DESC);

CREATE TABLE cluster_events (
    cluster_id  text NOT NULL REFERENCES clusters (cluster_id) ON DELETE CASCADE,
    event_id    bigint NOT NULL,
    happened_at timestamptz NOT NULL,
    type        text NOT NULL,
    message     text NOT NULL,
    details     jsonb NOT NULL,
    PRIMARY KEY (cluster_id, event_id)
);

-- A command is written down before the driver is asked, and is asked of one start of the cluster only: a command that
-- was lost with its driver is never run a second time under the same id.
CREATE TABLE commands (
    cluster_id   text NOT NULL REFERENCES clusters (cluster_id) ON DELETE CASCADE,
    context_id   text NOT NULL,
    command_id   text NOT NULL,
    generation   bigint NOT NULL,
    -- Whether it has come to its end: FINISHED, ERROR or CANCELLED.
    ended        boolean NOT NULL DEFAULT false,
    -- The newest that is known of it.
    info         jsonb NOT NULL,
    submitted_at timestamptz NOT NULL,
    PRIMARY KEY (cluster_id, context_id, command_id)
);
CREATE INDEX commands_open ON commands (cluster_id) WHERE NOT ended;
