-- What commands have put out and nobody had read when their cluster ended.

ALTER TABLE commands
    -- Whoever asked for it has stored all of its events.
    ADD COLUMN confirmed boolean NOT NULL DEFAULT false;

-- A row outlives its cluster's own, should that be deleted before everything was read.
CREATE TABLE kept_commands (
    cluster_id    text NOT NULL,
    context_id    text NOT NULL,
    command_id    text NOT NULL,
    -- The start of the cluster that it was given to.
    generation    bigint NOT NULL,
    -- As it ended.
    info          jsonb NOT NULL,
    -- Whether these are all of its events.
    whole         boolean NOT NULL DEFAULT false,
    -- The number of the last event that is kept; 0 when there is none.
    last_sequence bigint NOT NULL DEFAULT 0,
    -- What its events take, compressed.
    bytes         bigint NOT NULL DEFAULT 0,
    kept_at       timestamptz NOT NULL,
    PRIMARY KEY (cluster_id, context_id, command_id)
);
CREATE INDEX kept_commands_oldest ON kept_commands (kept_at);

-- Its events in pieces, each an LZ4 frame of JSON lines.
CREATE TABLE kept_events (
    cluster_id     text NOT NULL,
    context_id     text NOT NULL,
    command_id     text NOT NULL,
    last_sequence  bigint NOT NULL,
    first_sequence bigint NOT NULL,
    frame          bytea NOT NULL,
    PRIMARY KEY (cluster_id, context_id, command_id, last_sequence),
    FOREIGN KEY (cluster_id, context_id, command_id) REFERENCES kept_commands ON DELETE CASCADE
);
