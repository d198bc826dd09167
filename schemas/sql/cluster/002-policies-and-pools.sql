-- Policies, quotas and pools, and what clusters need for them.

ALTER TABLE clusters
    -- The specification as it was asked for, before a policy filled it in; null where that is the same.
    ADD COLUMN asked jsonb,
    -- What it takes of its creator's quota.
    ADD COLUMN workers integer NOT NULL DEFAULT 0,
    ADD COLUMN cores integer NOT NULL DEFAULT 0,
    -- The pool that keeps it ready. Such a cluster is nobody's yet, and in no list.
    ADD COLUMN pool_id text;
CREATE INDEX clusters_of_creator ON clusters (creator) WHERE state <> 'TERMINATED';
CREATE INDEX clusters_of_pool ON clusters (pool_id) WHERE pool_id IS NOT NULL;

CREATE TABLE policies (
    policy_id             text PRIMARY KEY,
    name                  text NOT NULL UNIQUE,
    description           text,
    -- As the user wrote it.
    definition            text NOT NULL,
    max_clusters_per_user integer,
    creator               text NOT NULL,
    created_at            timestamptz NOT NULL
);

-- A limit that is null is none.
CREATE TABLE quotas (
    -- `*` is everybody without one of their own.
    user_name    text PRIMARY KEY,
    max_clusters integer,
    max_workers  integer,
    max_cores    integer
);

CREATE TABLE pools (
    pool_id      text PRIMARY KEY,
    name         text NOT NULL,
    spec         jsonb NOT NULL,
    min_idle     integer NOT NULL,
    max_capacity integer,
    idle_minutes integer NOT NULL,
    creator      text NOT NULL,
    created_at   timestamptz NOT NULL
);
