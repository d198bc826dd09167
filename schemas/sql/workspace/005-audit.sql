-- What was done or refused, by whom and from where. Rows are added and, when they are old, removed; never changed.

CREATE TABLE audit_events (
    event_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    happened_at timestamptz NOT NULL,
    user_name   text COLLATE "C",
    token_name  text,
    service     text NOT NULL,
    action      text NOT NULL,
    object      text,
    status      integer NOT NULL,
    error_code  text,
    source      text NOT NULL,
    request_id  text NOT NULL
);
CREATE INDEX audit_events_by_user ON audit_events (user_name, event_id DESC);
CREATE INDEX audit_events_by_time ON audit_events (happened_at);

CREATE TRIGGER audit_events_stay BEFORE UPDATE ON audit_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
