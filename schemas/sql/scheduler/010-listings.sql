-- Which listing of a place was taken into account last, by number and not by the clock, and of which folder it was.

ALTER TABLE file_watches
    ADD COLUMN listing bigint NOT NULL DEFAULT 0,
    ADD COLUMN root    text;
