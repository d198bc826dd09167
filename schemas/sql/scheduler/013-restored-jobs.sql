-- A deleted job can be brought back, as it was, for as long as runs are kept; then it goes for good.

-- When it would have run next: an interval is counted from there, so that the job keeps its rhythm.
ALTER TABLE jobs ADD COLUMN was_due_at timestamptz;
CREATE INDEX jobs_deleted ON jobs (deleted_at) WHERE deleted_at IS NOT NULL;
