-- The tree of folders, notebooks and files, every state they ever had, and who may ask. The workspace alone reads and
-- writes this schema.

CREATE TABLE objects (
    object_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The whole path, so that any depth is found in one step; moving a folder rewrites the paths below it. Compared by
    -- bytes, which makes what is below a folder one range of the index.
    path        text COLLATE "C" NOT NULL,
    folder      text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('DIRECTORY', 'NOTEBOOK', 'FILE')),
    -- Folders come first in lists.
    is_leaf     boolean NOT NULL GENERATED ALWAYS AS (kind <> 'DIRECTORY') STORED,
    language    text,
    -- The newest revision, and what lists show of it.
    revision_id bigint,
    format      text,
    size        bigint,
    created_at  timestamptz NOT NULL,
    modified_at timestamptz NOT NULL,
    modified_by text,
    -- In the trash since then; what was deleted together has one number.
    deleted_at  timestamptz,
    deleted_by  text,
    deletion_id bigint
);
CREATE UNIQUE INDEX objects_by_path ON objects (path) WHERE deleted_at IS NULL;
CREATE INDEX objects_by_folder ON objects (folder, is_leaf, name) WHERE deleted_at IS NULL;
CREATE INDEX objects_in_trash ON objects (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE SEQUENCE deletions;

CREATE TABLE revisions (
    revision_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    object_id    bigint NOT NULL REFERENCES objects (object_id),
    created_at   timestamptz NOT NULL,
    created_by   text,
    message      text,
    -- How the content is written: a notebook format, or file.
    format       text NOT NULL,
    -- SHA-256 and size of the content before compression.
    content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 32),
    size         bigint NOT NULL,
    -- An LZ4 frame.
    content      bytea NOT NULL
);
CREATE INDEX revisions_by_object ON revisions (object_id, revision_id DESC);
-- It is compressed already.
ALTER TABLE revisions ALTER COLUMN content SET STORAGE EXTERNAL;

-- History is never rewritten.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a revision is never changed';
END $$;
CREATE TRIGGER revisions_stay BEFORE UPDATE ON revisions FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE tokens (
    token_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- SHA-256 of the token; the token itself is random and nowhere kept.
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    user_name  text NOT NULL,
    name       text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz
);

INSERT INTO objects (path, folder, name, kind, created_at, modified_at) VALUES
    ('/', '', '', 'DIRECTORY', now(), now()),
    ('/Shared', '/', 'Shared', 'DIRECTORY', now(), now()),
    ('/Users', '/', 'Users', 'DIRECTORY', now(), now());
