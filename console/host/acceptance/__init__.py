"""The acceptance run of a venue: a whole engine on one account, measured (C-700 to C-707)."""
