-- What is shown at once of outputs, beside the outputs: opening a notebook reads this and leaves what is large where it
-- is. Null until somebody has looked: of rows that are older, the first who opens the notebook writes it.

-- How large a cell's outputs are as JSON; null while the command runs.
ALTER TABLE cell_outputs ADD COLUMN bytes bigint;
-- The JSON array that is shown instead of them; null where all of them are.
ALTER TABLE cell_outputs ADD COLUMN shown text;

ALTER TABLE revision_outputs ADD COLUMN bytes bigint;
ALTER TABLE revision_outputs ADD COLUMN shown text;

-- Of a revision with large outputs in its content: the document without any, an LZ4 frame of an .ipynb.
CREATE TABLE revision_documents (
    revision_id bigint PRIMARY KEY REFERENCES revisions (revision_id) ON DELETE CASCADE,
    document    bytea NOT NULL
);
ALTER TABLE revision_documents ALTER COLUMN document SET STORAGE EXTERNAL;

-- And what is shown at once of the outputs that it has.
CREATE TABLE revision_cells (
    revision_id bigint NOT NULL REFERENCES revision_documents (revision_id) ON DELETE CASCADE,
    cell_id     text COLLATE "C" NOT NULL,
    -- How large they are as JSON.
    bytes       bigint NOT NULL,
    -- A JSON array.
    shown       text NOT NULL,
    PRIMARY KEY (revision_id, cell_id)
);
