-- Who may do what: the owner of each entry of the tree, and what was given to users and groups on anything.

ALTER TABLE objects ADD COLUMN owner text COLLATE "C";
-- Whoever saved first is the owner; of folders nothing but the last change is known.
UPDATE objects SET owner = coalesce(
    (SELECT created_by FROM revisions WHERE revisions.object_id = objects.object_id ORDER BY revision_id LIMIT 1),
    modified_by);
CREATE INDEX objects_by_owner ON objects (owner, path) WHERE deleted_at IS NULL;

CREATE TABLE grants (
    kind         text NOT NULL CHECK (kind IN ('TREE', 'CLUSTER', 'JOB', 'SCOPE')),
    object_id    text COLLATE "C" NOT NULL,
    is_group     boolean NOT NULL,
    principal    text COLLATE "C" NOT NULL,
    -- 1 view, 2 run, 3 edit, 4 manage.
    level        smallint NOT NULL CHECK (level BETWEEN 1 AND 4),
    granted_by   text NOT NULL,
    granted_at   timestamptz NOT NULL,
    PRIMARY KEY (kind, object_id, is_group, principal)
);
CREATE INDEX grants_by_principal ON grants (is_group, principal, kind);

-- Everybody works in /Shared.
INSERT INTO grants (kind, object_id, is_group, principal, level, granted_by, granted_at)
SELECT 'TREE', object_id::text, true, 'users', 4, 'system', now()
FROM objects WHERE path = '/Shared' AND deleted_at IS NULL;
