-- What the search looks into: the text of the newest revision of each notebook and small file, for the content itself is
-- compressed. It is written in the transaction of the revision. Paths, the trash and permissions are those of objects, so
-- that moving, deleting and restoring change nothing here.

-- As texts are compared: in lower case, of the same length in characters. ICU knows all scripts, whatever the locale of
-- the database; where it was left out of PostgreSQL, the database's own lower() has to do.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_collation WHERE collname = 'und-x-icu') THEN
        CREATE FUNCTION search_fold(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
            RETURN lower(replace($1, 'İ', 'i') COLLATE "und-x-icu");
    ELSE
        CREATE FUNCTION search_fold(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
            RETURN lower(replace($1, 'İ', 'i'));
    END IF;
END $$;

-- A row for each cell, so that a save writes only the cells that it has changed and a match names its cell; a file has one
-- row, whose cell is ''.
CREATE TABLE search_passages (
    object_id bigint NOT NULL REFERENCES objects (object_id) ON DELETE CASCADE,
    cell_id   text COLLATE "C" NOT NULL,
    -- Of cells, from 1.
    number    integer NOT NULL,
    body      text COLLATE "C" NOT NULL,
    folded    text COLLATE "C" NOT NULL GENERATED ALWAYS AS (search_fold(body)) STORED,
    PRIMARY KEY (object_id, cell_id)
);

ALTER TABLE objects ADD COLUMN folded_name text COLLATE "C" NOT NULL GENERATED ALWAYS AS (search_fold(name)) STORED;
-- The revision whose text is in search_passages. Where it is not the newest, the text is still to be read.
ALTER TABLE objects ADD COLUMN searched_revision_id bigint;
CREATE INDEX objects_unsearched ON objects (object_id) WHERE revision_id IS DISTINCT FROM searched_revision_id;
-- A word that is everywhere is looked for in the newest first, and soon found often enough.
CREATE INDEX objects_by_change ON objects (modified_at DESC, object_id DESC)
    WHERE deleted_at IS NULL AND revision_id IS NOT NULL;

-- Whoever saves without the text (uploads of files, and an older program beside this one) has it read by a service.
CREATE FUNCTION tell_text_missing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('workspace_search', '');
    RETURN NULL;
END $$;
CREATE TRIGGER objects_text_missing AFTER INSERT OR UPDATE OF revision_id ON objects FOR EACH ROW
    WHEN (NEW.revision_id IS DISTINCT FROM NEW.searched_revision_id) EXECUTE FUNCTION tell_text_missing();

-- The index of substrings, made where the extension pg_trgm may be had; says whether it is there. Without it every search
-- reads all passages. The service calls it at each start, so that the index comes with the extension.
CREATE FUNCTION ensure_search_index() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    place text;
BEGIN
    IF to_regclass('search_passages_by_text') IS NOT NULL THEN
        RETURN true;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') THEN
        BEGIN
            CREATE EXTENSION pg_trgm;
        EXCEPTION
            -- Somebody else makes it at this moment.
            WHEN unique_violation OR duplicate_object THEN NULL;
            -- It is not installed, or this user may not.
            WHEN OTHERS THEN RETURN false;
        END;
    END IF;
    SELECT n.nspname INTO place FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname = 'pg_trgm';
    EXECUTE format('CREATE INDEX search_passages_by_text ON search_passages USING gin (folded %I.gin_trgm_ops)', place);
    RETURN true;
END $$;
SELECT ensure_search_index();
