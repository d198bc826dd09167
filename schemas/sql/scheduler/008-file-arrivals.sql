-- Jobs that run when files arrive: where they look, and which files they know.

CREATE TABLE file_watches (
    job_id         bigint PRIMARY KEY REFERENCES jobs (job_id) ON DELETE CASCADE,
    url            text NOT NULL,
    -- What was there before is no arrival.
    set_at         timestamptz NOT NULL,
    -- Whether what was there has been written down.
    has_baseline   boolean NOT NULL DEFAULT false,
    -- When the newest listing that was taken into account was over; one that began before says nothing new.
    listed_at      timestamptz,
    -- Of that listing, so that one in which nothing has changed costs nothing.
    digest         text,
    -- When to look at the latest; put off while somebody looks.
    next_look_at   timestamptz NOT NULL,
    last_change_at timestamptz,
    last_fire_at   timestamptz,
    -- What keeps it from working.
    message        text
);
CREATE INDEX file_watches_due ON file_watches (next_look_at);

CREATE TABLE arrived_files (
    job_id  bigint NOT NULL REFERENCES file_watches (job_id) ON DELETE CASCADE,
    path    text NOT NULL,
    version text NOT NULL,
    -- Whether a run has been made for it, or it was there before.
    is_told boolean NOT NULL,
    PRIMARY KEY (job_id, path)
);
CREATE INDEX arrived_files_untold ON arrived_files (job_id) WHERE NOT is_told;

CREATE INDEX jobs_after_files ON jobs (job_id)
    WHERE deleted_at IS NULL AND settings #>> '{trigger,file_arrival,url}' IS NOT NULL;
