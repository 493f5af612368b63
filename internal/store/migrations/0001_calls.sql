CREATE TABLE calls (
    call_id       TEXT    NOT NULL PRIMARY KEY,
    admission_key BLOB    NOT NULL CHECK (length(admission_key) = 32),
    creator       TEXT    NOT NULL,
    created_at    INTEGER NOT NULL, -- Unix milliseconds
    last_used     INTEGER NOT NULL  -- Unix milliseconds
) STRICT, WITHOUT ROWID;
CREATE INDEX calls_by_creator ON calls (creator);
CREATE INDEX calls_by_last_used ON calls (last_used);
