CREATE TEMP TABLE fills_of_days AS SELECT * FROM main.fills;
DROP TABLE main.fills;
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
INSERT OR IGNORE INTO fills
SELECT seq, execution_id, client_order_id, venue_order_id, symbol, side, quantity, price,
       commission, liquidity, broker, time, late, overfill, account_id, mode
FROM temp.fills_of_days ORDER BY seq;
DROP TABLE temp.fills_of_days;
CREATE INDEX ix_fills_symbol ON fills (symbol);
CREATE INDEX ix_fills_time ON fills (time);
DROP TABLE watermark;
ALTER TABLE trade_executions DROP COLUMN currency;
ALTER TABLE events DROP COLUMN engine;
ALTER TABLE events DROP COLUMN version;
