-- Runs that ended long ago are deleted, the oldest first, with what belongs to them.
CREATE INDEX runs_ended ON runs (ended_at) WHERE phase = 'TERMINATED';
CREATE INDEX notifications_of_run ON notifications (run_id);
