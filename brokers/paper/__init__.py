"""The paper venue: matching, its account and book, and the markets it trades on (C-150..C-158)."""
