-- Whoever has become somebody else, or may do something else, than a moment ago: every replica is told at the commit, and
-- looks again at what it lets users follow.

CREATE FUNCTION tell_access_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('workspace_access', '');
    RETURN NULL;
END $$;

CREATE TRIGGER users_tell AFTER UPDATE OF role, is_active, credentials_version OR DELETE ON users
    FOR EACH STATEMENT EXECUTE FUNCTION tell_access_changed();
CREATE TRIGGER group_members_tell AFTER INSERT OR UPDATE OR DELETE ON group_members
    FOR EACH STATEMENT EXECUTE FUNCTION tell_access_changed();
CREATE TRIGGER grants_tell AFTER INSERT OR UPDATE OR DELETE ON grants
    FOR EACH STATEMENT EXECUTE FUNCTION tell_access_changed();
-- Not of what is only used: sessions grow longer all the time.
CREATE TRIGGER tokens_tell AFTER UPDATE OF revoked_at OR DELETE ON tokens
    FOR EACH STATEMENT EXECUTE FUNCTION tell_access_changed();
CREATE TRIGGER objects_tell AFTER UPDATE OF path, owner, deleted_at ON objects
    FOR EACH STATEMENT EXECUTE FUNCTION tell_access_changed();
