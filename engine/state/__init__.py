"""What is true now: the fold of the journal."""
