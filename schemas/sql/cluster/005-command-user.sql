-- On whose behalf a command was given; null where a service gave it for itself. What the command asks about secrets is
-- asked as that user.
ALTER TABLE commands ADD COLUMN user_name text;
