-- `seq` is the event that made the row. Times are nanoseconds since 1970 UTC.
CREATE TABLE orders (
    seq              INTEGER PRIMARY KEY,
    client_order_id  TEXT          NOT NULL UNIQUE,
    venue_order_id   TEXT          NOT NULL DEFAULT '',
    intent_id        TEXT          NOT NULL,
    signal_id        TEXT          NOT NULL DEFAULT '',
    parent_id        TEXT          NOT NULL DEFAULT '',
    symbol           VARCHAR(32)   NOT NULL,
    side             TEXT          NOT NULL,
    type             TEXT          NOT NULL,
    quantity         NUMERIC_TEXT  NOT NULL,
    filled           NUMERIC_TEXT  NOT NULL DEFAULT '0',
    average_price    NUMERIC_TEXT,
    limit_price      NUMERIC_TEXT,
    stop_price       NUMERIC_TEXT,
    time_in_force    TEXT          NOT NULL,
    status           TEXT          NOT NULL,
    purpose          TEXT          NOT NULL,
    broker           TEXT          NOT NULL,
    reject_code      TEXT          NOT NULL DEFAULT '',
    created_at       INTEGER       NOT NULL,
    updated_at       INTEGER       NOT NULL,
    trade_type       TEXT          NOT NULL,
    stop_loss        NUMERIC_TEXT,
    target_price     NUMERIC_TEXT,
    conviction       INTEGER,
    signal_type      TEXT          NOT NULL DEFAULT '',
    timeframe        TEXT          NOT NULL DEFAULT '',
    account_id       TEXT          NOT NULL,
    mode             TEXT          NOT NULL
);
CREATE INDEX ix_orders_symbol ON orders (symbol);
CREATE INDEX ix_orders_created_at ON orders (created_at);

-- Raw executions (X-25), unique by the venue's own id (A-405).
CREATE TABLE fills (
    seq              INTEGER PRIMARY KEY,
    execution_id     TEXT          NOT NULL,
    client_order_id  TEXT          NOT NULL,
    venue_order_id   TEXT          NOT NULL DEFAULT '',
    symbol           VARCHAR(32)   NOT NULL,
    side             TEXT          NOT NULL,
    quantity         NUMERIC_TEXT  NOT NULL,
    price            NUMERIC_TEXT  NOT NULL,
    commission       NUMERIC_TEXT  NOT NULL,
    liquidity        TEXT          NOT NULL DEFAULT '',
    broker           TEXT          NOT NULL,
    time             INTEGER       NOT NULL,
    late             BOOLEAN       NOT NULL DEFAULT 0,
    overfill         NUMERIC_TEXT  NOT NULL DEFAULT '0',
    account_id       TEXT          NOT NULL,
    mode             TEXT          NOT NULL,
    UNIQUE (broker, execution_id)
);
CREATE INDEX ix_fills_symbol ON fills (symbol);
CREATE INDEX ix_fills_time ON fills (time);
