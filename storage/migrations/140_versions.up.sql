-- Every event row says the version of its data, and which program wrote it. Rows of 0.1.0 are of
-- version 1, and their hash does not cover it.
ALTER TABLE events ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE events ADD COLUMN engine TEXT NOT NULL DEFAULT '';

-- The last event whose rows are all in the tables: they are written behind the events. Rows of
-- 0.1.0 were kept by a second reading of the events; they are made again, from the first event on.
CREATE TABLE watermark (
    only  INTEGER PRIMARY KEY CHECK (only = 1),
    seq   INTEGER NOT NULL
);
-- A venue may use an execution id again on another day or for another symbol (X-91). `day` is the
-- UTC date of the venue's own time of the fill, empty where it gives none.
DROP TABLE fills;
CREATE TABLE fills (
    seq                  INTEGER PRIMARY KEY,
    execution_id         TEXT          NOT NULL,
    client_order_id      TEXT          NOT NULL,
    venue_order_id       TEXT          NOT NULL DEFAULT '',
    symbol               VARCHAR(32)   NOT NULL,
    side                 TEXT          NOT NULL,
    quantity             NUMERIC_TEXT  NOT NULL,
    price                NUMERIC_TEXT  NOT NULL,
    currency             TEXT          NOT NULL DEFAULT '',
    commission           NUMERIC_TEXT  NOT NULL,
    commission_currency  TEXT          NOT NULL DEFAULT '',
    liquidity            TEXT          NOT NULL DEFAULT '',
    broker               TEXT          NOT NULL,
    time                 INTEGER       NOT NULL,
    day                  TEXT          NOT NULL DEFAULT '',
    late                 BOOLEAN       NOT NULL DEFAULT 0,
    overfill             NUMERIC_TEXT  NOT NULL DEFAULT '0',
    account_id           TEXT          NOT NULL,
    mode                 TEXT          NOT NULL,
    UNIQUE (broker, symbol, day, execution_id)
);
CREATE INDEX ix_fills_symbol ON fills (symbol);
CREATE INDEX ix_fills_time ON fills (time);

-- Prices, P&L and fees of a trade are in it (X-86).
ALTER TABLE trade_executions ADD COLUMN currency TEXT NOT NULL DEFAULT '';

DELETE FROM trade_executions;
DELETE FROM daily_pnl;
DELETE FROM orders;
DELETE FROM signals;
DELETE FROM dead_letters;
DELETE FROM stale_projections;
