-- Reads of secrets come by the hundred a minute, from every program that is given some: of a user, a secret and a minute
-- there is one row, with how many there were and when the last was. Nothing else of an event is ever changed.

ALTER TABLE audit_events ADD COLUMN count bigint NOT NULL DEFAULT 1 CHECK (count > 0);
ALTER TABLE audit_events ADD COLUMN last_at timestamptz;
-- A digest of all that those have in common which are counted together; null of what is not counted.
ALTER TABLE audit_events ADD COLUMN tally text COLLATE "C";
CREATE UNIQUE INDEX audit_events_by_tally ON audit_events (tally) WHERE tally IS NOT NULL;

CREATE FUNCTION refuse_change_of_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.tally IS NULL OR NEW.count <= OLD.count OR NEW.last_at < OLD.last_at
        OR to_jsonb(NEW) - 'count' - 'last_at' <> to_jsonb(OLD) - 'count' - 'last_at'
    THEN
        RAISE EXCEPTION 'an event is never changed, but that it has happened again';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER audit_events_stay ON audit_events;
CREATE TRIGGER audit_events_stay BEFORE UPDATE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_event();
