-- Who is to be told of the end of a run, until they have answered.

CREATE TABLE notifications (
    notification_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id          bigint NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    url             text NOT NULL,
    payload         text NOT NULL,
    tries           integer NOT NULL DEFAULT 0,
    -- Null when it has been delivered, or given up.
    next_try_at     timestamptz,
    delivered_at    timestamptz,
    last_error      text
);
CREATE INDEX notifications_due ON notifications (next_try_at) WHERE next_try_at IS NOT NULL;
