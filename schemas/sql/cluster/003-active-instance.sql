-- Which of the service's instances acts. Each that takes over counts one up; who writes names the number that it took
-- over with, so that an instance that was given up cannot write any more.
ALTER TABLE installation ADD COLUMN epoch bigint NOT NULL DEFAULT 0;
