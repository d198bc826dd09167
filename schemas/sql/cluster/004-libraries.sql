-- Libraries that were added to a cluster or taken from it after it had been made; those it was made with are in its
-- specification.
CREATE TABLE cluster_libraries (
    cluster_id text NOT NULL REFERENCES clusters (cluster_id) ON DELETE CASCADE,
    library    jsonb NOT NULL,
    -- Left out from the next start on.
    removed    boolean NOT NULL,
    added_at   timestamptz NOT NULL,
    PRIMARY KEY (cluster_id, library)
);
