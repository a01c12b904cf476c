DROP TABLE daily_pnl;
DROP TABLE trade_executions;
