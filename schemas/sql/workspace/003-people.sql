-- Who may sign in, in which groups they are, and what they sign in with.

CREATE TABLE users (
    user_name           text COLLATE "C" PRIMARY KEY,
    display_name        text NOT NULL DEFAULT '',
    kind                text NOT NULL DEFAULT 'USER' CHECK (kind IN ('USER', 'SERVICE_PRINCIPAL')),
    role                text NOT NULL DEFAULT 'USER' CHECK (role IN ('ADMIN', 'USER', 'VIEWER')),
    is_active           boolean NOT NULL DEFAULT true,
    -- A memory-hard hash with its parameters and salt; without one only tokens sign in.
    password            text,
    -- Access tokens carry it: when it grows, all that were given out before end.
    credentials_version bigint NOT NULL DEFAULT 1,
    created_at          timestamptz NOT NULL,
    created_by          text
);
-- The first administrator, whom the platform's own token signs in.
INSERT INTO users (user_name, display_name, role, created_at) VALUES ('admin', 'Administrator', 'ADMIN', now());

CREATE TABLE groups (
    group_name text COLLATE "C" PRIMARY KEY CHECK (group_name NOT IN ('users', 'admins')),
    created_at timestamptz NOT NULL,
    created_by text
);

CREATE TABLE group_members (
    group_name text COLLATE "C" NOT NULL REFERENCES groups (group_name) ON DELETE CASCADE,
    user_name  text COLLATE "C" NOT NULL REFERENCES users (user_name) ON DELETE CASCADE,
    PRIMARY KEY (group_name, user_name)
);
CREATE INDEX group_members_by_user ON group_members (user_name);

-- A browser that signed in with a password has a token too, which nobody knows and which ends with the session.
ALTER TABLE tokens ADD COLUMN is_session boolean NOT NULL DEFAULT false;
ALTER TABLE tokens ADD COLUMN last_used_at timestamptz;
CREATE INDEX tokens_by_user ON tokens (user_name, token_id DESC);
CREATE INDEX tokens_that_end ON tokens (expires_at) WHERE is_session;
