-- Round trips and accounting days (A-400, A-401, A-402, A-405). The published columns keep their
-- published names. NUMERIC_TEXT holds a decimal number as text: SQLite would turn a NUMERIC column
-- into binary floats. Times are RFC 3339 UTC with nine digits of fraction, so that text order is
-- time order.
CREATE TABLE trade_executions (
    id                INTEGER PRIMARY KEY,
    signal_id         VARCHAR(50),
    ticker            VARCHAR(32)   NOT NULL,
    direction         VARCHAR(10)   NOT NULL,
    trade_type        VARCHAR(10)   NOT NULL CHECK (trade_type IN ('day', 'swing', 'scalp')),
    entry_price       NUMERIC_TEXT  NOT NULL,
    exit_price        NUMERIC_TEXT,
    shares            NUMERIC_TEXT  NOT NULL,
    stop_loss         NUMERIC_TEXT,
    target_price      NUMERIC_TEXT,
    conviction        INTEGER,
    status            VARCHAR(20)   NOT NULL DEFAULT 'open'
                      CHECK (status IN ('open', 'closed', 'cancelled')),
    exit_reason       VARCHAR(50),
    pnl               NUMERIC_TEXT,
    pnl_pct           NUMERIC_TEXT,
    broker            VARCHAR(20),
    order_id          VARCHAR(100),
    entry_time        DATETIME      NOT NULL,
    exit_time         DATETIME,
    metadata_json     TEXT,
    created_at        DATETIME      DEFAULT CURRENT_TIMESTAMP,
    -- added to the published columns
    position_id       VARCHAR(64)   NOT NULL,
    account_id        VARCHAR(64)   NOT NULL,
    mode              VARCHAR(10)   NOT NULL,
    origin            VARCHAR(20)   NOT NULL DEFAULT 'bot',
    instrument_type   VARCHAR(20)   NOT NULL DEFAULT 'stock',
    leverage          NUMERIC_TEXT  NOT NULL DEFAULT '1',
    trade_id          VARCHAR(64),
    strategy          VARCHAR(100),
    signal_type       VARCHAR(50),
    timeframe         VARCHAR(10),
    exit_detail       TEXT,
    initial_stop      NUMERIC_TEXT,
    r_multiple        NUMERIC_TEXT,
    fees              NUMERIC_TEXT  NOT NULL DEFAULT '0',
    slippage_bps      NUMERIC_TEXT,
    mae               NUMERIC_TEXT,
    mfe               NUMERIC_TEXT,
    legs_json         TEXT,
    held              NUMERIC_TEXT  NOT NULL DEFAULT '0',
    entry_notional    NUMERIC_TEXT  NOT NULL DEFAULT '0',
    seq               INTEGER,
    UNIQUE (account_id, position_id),
    CHECK (
        status <> 'closed'
        OR (exit_time IS NOT NULL AND exit_price IS NOT NULL AND pnl IS NOT NULL)
    )
);
CREATE INDEX ix_trade_executions_ticker_status ON trade_executions (ticker, status);
CREATE INDEX ix_trade_executions_signal_id ON trade_executions (signal_id);
CREATE INDEX ix_trade_executions_ticker ON trade_executions (ticker);
CREATE INDEX ix_trade_executions_entry_time ON trade_executions (entry_time);

CREATE TABLE daily_pnl (
    id                     INTEGER PRIMARY KEY,
    date                   DATE          NOT NULL,
    starting_equity        NUMERIC_TEXT  NOT NULL,
    ending_equity          NUMERIC_TEXT  NOT NULL,
    realized_pnl           NUMERIC_TEXT  NOT NULL,
    unrealized_pnl         NUMERIC_TEXT  NOT NULL,
    total_trades           INTEGER       NOT NULL,
    winning_trades         INTEGER       NOT NULL,
    losing_trades          INTEGER       NOT NULL,
    max_drawdown           NUMERIC_TEXT,
    kill_switch_triggered  BOOLEAN       NOT NULL DEFAULT 0,
    metadata_json          TEXT,
    -- added to the published columns
    account_id             VARCHAR(64)   NOT NULL,
    mode                   VARCHAR(10)   NOT NULL,
    fees                   NUMERIC_TEXT  NOT NULL DEFAULT '0',
    flows                  NUMERIC_TEXT  NOT NULL DEFAULT '0',
    final                  BOOLEAN       NOT NULL DEFAULT 1,
    UNIQUE (account_id, date)
);
CREATE INDEX ix_daily_pnl_date ON daily_pnl (date);
