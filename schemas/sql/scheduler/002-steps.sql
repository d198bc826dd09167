-- How often the owner of a claim has written the run down, so that the same step written twice changes nothing.

ALTER TABLE runs ADD COLUMN step bigint NOT NULL DEFAULT 0;
