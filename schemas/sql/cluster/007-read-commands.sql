-- Commands whose output was read to its end by somebody who has no way to say so, such as a program that uses the API,
-- need not be kept either.

ALTER TABLE commands
    -- Whether who asked for it says when all of its events are stored. Of older commands that is not known, so that
    -- they are kept until somebody does.
    ADD COLUMN confirms boolean NOT NULL DEFAULT true,
    -- When the last of its events was first passed on, where nobody says that they are stored.
    ADD COLUMN read_at timestamptz;
