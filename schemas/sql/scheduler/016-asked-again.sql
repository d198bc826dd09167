-- Who did not hear the answer asks for a job again with the same token, and gets the one that was made.
ALTER TABLE jobs ADD COLUMN idempotency_token text;
CREATE UNIQUE INDEX jobs_by_idempotency_token ON jobs (creator, idempotency_token) WHERE idempotency_token IS NOT NULL;
