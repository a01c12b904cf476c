ALTER TABLE daily_pnl DROP COLUMN adjustment;
