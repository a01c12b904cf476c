-- Decisions that could not be sent (C-430, X-10); `action` stays empty while a letter is open.
CREATE TABLE dead_letters (
    seq              INTEGER PRIMARY KEY,
    letter_id        TEXT     NOT NULL UNIQUE,
    client_order_id  TEXT     NOT NULL,
    symbol           VARCHAR(32) NOT NULL,
    error            TEXT     NOT NULL,
    order_json       TEXT     NOT NULL,
    created_at       INTEGER  NOT NULL,
    action           TEXT,
    closed_by        TEXT,
    closed_at        INTEGER,
    account_id       TEXT     NOT NULL,
    mode             TEXT     NOT NULL
);
CREATE INDEX ix_dead_letters_client_order_id ON dead_letters (client_order_id);

-- Events whose row in another table could not be made: the event is kept, the gap is named.
CREATE TABLE stale_projections (
    seq    INTEGER PRIMARY KEY,
    type   TEXT NOT NULL,
    error  TEXT NOT NULL
);
