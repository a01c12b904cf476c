-- Of an event that tells of several signals the first keeps its row.
CREATE TEMP TABLE signals_by_place AS SELECT * FROM main.signals WHERE place = 0;
DROP VIEW outcomes;
DROP TABLE main.signals;
CREATE TABLE signals (
    seq               INTEGER PRIMARY KEY,
    signal_id         TEXT     NOT NULL,
    time              INTEGER  NOT NULL,
    symbol            VARCHAR(32) NOT NULL DEFAULT '',
    verdict           TEXT,
    outcome           TEXT CHECK (
        outcome IN ('EXECUTED', 'RESIZED', 'REJECTED', 'EXPIRED', 'CANCELLED', 'UNKNOWN')
    ),
    stage             TEXT     NOT NULL DEFAULT '',
    code              TEXT     NOT NULL DEFAULT '',
    measured          TEXT     NOT NULL DEFAULT '',
    "limit"           TEXT     NOT NULL DEFAULT '',
    reason            TEXT     NOT NULL DEFAULT '',
    client_order_ids  TEXT     NOT NULL DEFAULT '[]',
    metadata_json     TEXT,
    account_id        TEXT     NOT NULL,
    mode              TEXT     NOT NULL
);
CREATE INDEX ix_signals_signal_id ON signals (signal_id);
CREATE INDEX ix_signals_symbol ON signals (symbol);
CREATE INDEX ix_signals_time ON signals (time);
INSERT INTO signals
SELECT seq, signal_id, time, symbol, verdict, outcome, stage, code, measured, "limit", reason,
       client_order_ids, metadata_json, account_id, mode
FROM temp.signals_by_place;
DROP TABLE temp.signals_by_place;

-- How many inputs ended in which way: executed, resized, or the code that ended them.
CREATE VIEW outcomes AS
SELECT account_id,
       mode,
       CASE WHEN outcome IN ('EXECUTED', 'RESIZED') OR code = '' THEN outcome ELSE code END AS code,
       count(*) AS inputs
FROM signals
WHERE outcome IS NOT NULL
GROUP BY 1, 2, 3;
