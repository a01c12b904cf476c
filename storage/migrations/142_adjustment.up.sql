-- What was adopted from the venues during a day, or stood unexplained at its end (X-75):
-- ending = starting + realized + unrealized + flows + adjustment.
ALTER TABLE daily_pnl ADD COLUMN adjustment NUMERIC_TEXT NOT NULL DEFAULT '0';
