"""How requests reach a venue: what is tried again, and when (C-400 to C-405)."""
