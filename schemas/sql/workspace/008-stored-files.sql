-- Files that are too large for a row: what is in the object storage, and what is on its way there.

-- Objects that revisions are made of. An object never changes, and what it must contain is written here: the storage is
-- not trusted.
CREATE TABLE stored_objects (
    object_key   text COLLATE "C" PRIMARY KEY,
    -- Which kind of storage it was written to: local or s3.
    storage      text NOT NULL,
    size         bigint NOT NULL CHECK (size >= 0),
    sha256       bytea NOT NULL CHECK (octet_length(sha256) = 32),
    -- SHA-256 of each mebibyte, so that a range can be checked alone.
    block_hashes bytea NOT NULL CHECK (octet_length(block_hashes) = 32 * ((size + 1048575) / 1048576)),
    created_at   timestamptz NOT NULL
);
ALTER TABLE stored_objects ALTER COLUMN block_hashes SET STORAGE EXTERNAL;
CREATE TRIGGER stored_objects_stay BEFORE UPDATE ON stored_objects FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The content of a revision is in its row or in an object.
ALTER TABLE revisions ALTER COLUMN content DROP NOT NULL;
ALTER TABLE revisions ADD COLUMN object_key text COLLATE "C" REFERENCES stored_objects (object_key);
ALTER TABLE revisions ADD CONSTRAINT revisions_have_content CHECK (num_nonnulls(content, object_key) = 1);
CREATE UNIQUE INDEX revisions_by_stored_object ON revisions (object_key) WHERE object_key IS NOT NULL;

-- Files that come in chunks. What is said here to be stored is safe, whoever dies.
CREATE TABLE uploads (
    -- Also the key of the object.
    upload_id   text COLLATE "C" PRIMARY KEY,
    user_name   text NOT NULL,
    path        text COLLATE "C" NOT NULL,
    overwrites  boolean NOT NULL,
    -- Null while a form comes, which does not say it before.
    size        bigint CHECK (size >= 0),
    -- What the sender says that it must be.
    wanted      bytea CHECK (octet_length(wanted) = 32),
    storage     text NOT NULL,
    -- The storage's own; null until it was asked for.
    handle      text,
    stored      bigint NOT NULL DEFAULT 0,
    -- Of SHA-256, after what is stored; and the digest once all is.
    hash_state  bytea NOT NULL CHECK (octet_length(hash_state) = 32),
    digest      bytea CHECK (octet_length(digest) = 32),
    -- ENDED ones are being removed.
    state       text NOT NULL DEFAULT 'OPEN' CHECK (state IN ('OPEN', 'COMPLETE', 'ENDED')),
    -- What it has become.
    object_id   bigint REFERENCES objects (object_id),
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX uploads_by_user ON uploads (user_name, created_at) WHERE state = 'OPEN';
CREATE INDEX uploads_by_expiry ON uploads (expires_at);

CREATE TABLE upload_pieces (
    upload_id    text COLLATE "C" NOT NULL REFERENCES uploads (upload_id) ON DELETE CASCADE,
    number       integer NOT NULL,
    -- The storage's own.
    tag          text NOT NULL,
    block_hashes bytea NOT NULL,
    PRIMARY KEY (upload_id, number)
);
