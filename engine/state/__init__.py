"""What is true now: the fold of the journal, and the market view beside it."""
