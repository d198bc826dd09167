-- The parameters that notebooks declare, and what people have chosen for them. They are the notebook's and not its
-- kernel's: a kernel is given them with each command, and tells what the command has changed. Whoever changes them has
-- locked the session's row.
CREATE TABLE notebook_widgets (
    notebook_id bigint NOT NULL REFERENCES notebook_sessions (notebook_id),
    name        text COLLATE "C" NOT NULL,
    -- The order in which they were declared.
    position    bigint NOT NULL,
    -- JSON: a NotebookWidget.
    widget      text NOT NULL,
    -- Removed by a person, who may want it back.
    removed_at  timestamptz,
    PRIMARY KEY (notebook_id, name)
);
