-- One event tells of all signals that an overload refused in a second (X-89), and each has its row:
-- `place` is its place in the event, 0 for a signal with an event of its own. Lists are read in the
-- order of both; a second has no million of refusals.
CREATE TEMP TABLE signals_before AS SELECT * FROM main.signals;
DROP VIEW outcomes;
DROP TABLE main.signals;
CREATE TABLE signals (
    seq               INTEGER  NOT NULL,
    place             INTEGER  NOT NULL DEFAULT 0,
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
    mode              TEXT     NOT NULL,
    PRIMARY KEY (seq, place)
);
CREATE INDEX ix_signals_signal_id ON signals (signal_id);
CREATE INDEX ix_signals_symbol ON signals (symbol);
CREATE INDEX ix_signals_time ON signals (time);
INSERT INTO signals
SELECT seq, 0, signal_id, time, symbol, verdict, outcome, stage, code, measured, "limit", reason,
       client_order_ids, metadata_json, account_id, mode
FROM temp.signals_before;
DROP TABLE temp.signals_before;
CREATE INDEX ix_signals_order ON signals (seq * 1048576 + place);

CREATE VIEW outcomes AS
SELECT account_id,
       mode,
       CASE WHEN outcome IN ('EXECUTED', 'RESIZED') OR code = '' THEN outcome ELSE code END AS code,
       count(*) AS inputs
FROM signals
WHERE outcome IS NOT NULL
GROUP BY 1, 2, 3;
