-- The trash: what was deleted together, what is gone for good, and what must stay readable all the same. And copies,
-- which share what is in the object storage.

-- Each deletion, until it is restored or nothing is left of it.
CREATE TABLE trash (
    deletion_id bigint PRIMARY KEY,
    -- The entry that was deleted; the others of that deletion were below it.
    object_id   bigint NOT NULL,
    -- The folder it was in. Whoever may manage that folder, wherever it is by now, may restore; another folder that has
    -- come to the same path gives no right to what was there before.
    folder_id   bigint,
    entry_count bigint NOT NULL,
    size        bigint NOT NULL,
    deleted_at  timestamptz NOT NULL,
    deleted_by  text,
    -- Deleted for good since then: nobody sees it any more, and it is being removed piece by piece.
    purged_at   timestamptz
);
CREATE INDEX trash_by_time ON trash (deleted_at) WHERE purged_at IS NULL;
CREATE INDEX trash_being_emptied ON trash (deletion_id) WHERE purged_at IS NOT NULL;
CREATE INDEX objects_by_deletion ON objects (deletion_id, object_id) WHERE deletion_id IS NOT NULL;

-- Until now each entry had a number of its own. What was deleted together has the moment and the user in common, and is
-- below one entry.
UPDATE objects AS entry SET deletion_id = root.deletion_id
FROM objects AS root
WHERE entry.deleted_at IS NOT NULL AND root.deleted_at = entry.deleted_at
    AND root.deleted_by IS NOT DISTINCT FROM entry.deleted_by AND starts_with(entry.path, root.path || '/')
    AND NOT EXISTS (
        SELECT 1 FROM objects AS above
        WHERE above.deleted_at = root.deleted_at AND above.deleted_by IS NOT DISTINCT FROM root.deleted_by
            AND starts_with(root.path, above.path || '/'));

INSERT INTO trash (deletion_id, object_id, folder_id, entry_count, size, deleted_at, deleted_by)
SELECT root.deletion_id, root.object_id, (
        -- Only a folder that was there already can be the one.
        SELECT object_id FROM objects AS folder
        WHERE folder.path = root.folder AND folder.deleted_at IS NULL AND folder.created_at <= root.deleted_at),
    whole.entries, whole.size, root.deleted_at, root.deleted_by
FROM (
    SELECT DISTINCT ON (deletion_id) * FROM objects WHERE deletion_id IS NOT NULL ORDER BY deletion_id, length(path)
) AS root
JOIN (
    SELECT deletion_id, count(*) AS entries, coalesce(sum(size), 0)::bigint AS size
    FROM objects WHERE deletion_id IS NOT NULL GROUP BY deletion_id
) AS whole USING (deletion_id);

-- Revisions that a run has frozen. Runs are kept in another service, for as long as it likes, and read them by their
-- number: they stay, even when all else of their notebook is gone.
CREATE TABLE frozen_revisions (
    revision_id bigint PRIMARY KEY REFERENCES revisions (revision_id)
);
-- Until now nobody has written down which ones. Any of a notebook may be.
INSERT INTO frozen_revisions SELECT revision_id FROM revisions WHERE format <> 'file';

-- Objects of the storage that nothing refers to any more: the bytes are removed first and then the row, so that
-- whoever dies in between leaves nothing behind that is not known.
CREATE TABLE doomed_objects (
    object_key text COLLATE "C" PRIMARY KEY,
    storage    text NOT NULL
);

-- A copy is of the same object: it never changes.
DROP INDEX revisions_by_stored_object;
CREATE INDEX revisions_by_stored_object ON revisions (object_key) WHERE object_key IS NOT NULL;

-- What refers to an entry has to be found when it goes.
CREATE INDEX uploads_by_object ON uploads (object_id) WHERE object_id IS NOT NULL;
