-- Secrets, encrypted with a key that is not in the database: AES-256-GCM, bound to their scope and key.

CREATE TABLE secret_scopes (
    scope      text COLLATE "C" PRIMARY KEY,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE secrets (
    scope      text COLLATE "C" NOT NULL REFERENCES secret_scopes (scope) ON DELETE CASCADE,
    key        text COLLATE "C" NOT NULL,
    sealed     bytea NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);
