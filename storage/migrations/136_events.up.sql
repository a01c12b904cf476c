-- The only source of truth (U-70). `prev_hash` and `hash` are SHA-256 (32 bytes). `head` names the
-- newest row, so that rows cut off at the end are missed too.
CREATE TABLE events (
    seq        INTEGER PRIMARY KEY,
    time       INTEGER  NOT NULL,
    mode       TEXT     NOT NULL,
    account    TEXT     NOT NULL,
    type       TEXT     NOT NULL,
    data       TEXT     NOT NULL,
    prev_hash  BLOB     NOT NULL,
    hash       BLOB     NOT NULL
);
CREATE INDEX ix_events_time ON events (time);

CREATE TABLE head (
    only  INTEGER PRIMARY KEY CHECK (only = 1),
    seq   INTEGER NOT NULL,
    hash  BLOB    NOT NULL
);

-- The state as of an event, so that a start folds only what came after. `format` is that of the
-- program's state, `hash` the event row it belongs to, `checksum` guards the bytes.
CREATE TABLE snapshots (
    seq       INTEGER PRIMARY KEY,
    format    INTEGER NOT NULL,
    hash      BLOB    NOT NULL,
    checksum  BLOB    NOT NULL,
    state     BLOB    NOT NULL
);
