-- Outputs of a revision that a file has replaced: what its cells had put out until then, instead of what it has there
-- itself. Whoever goes back to it, or reads it, has them.
CREATE TABLE revision_outputs (
    revision_id     bigint NOT NULL REFERENCES revisions (revision_id) ON DELETE CASCADE,
    cell_id         text COLLATE "C" NOT NULL,
    execution_count bigint,
    -- An LZ4 frame of a JSON array.
    outputs         bytea NOT NULL,
    PRIMARY KEY (revision_id, cell_id)
);
ALTER TABLE revision_outputs ALTER COLUMN outputs SET STORAGE EXTERNAL;

-- Outputs of no command came with a file. They are kept here while the newest revision has no code cell for them, for
-- whoever takes back what was done to the cell, and are not shown.
COMMENT ON COLUMN cell_outputs.command_id IS 'Empty: of no command; kept for a cell that may come back';
