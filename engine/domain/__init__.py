"""The values the whole house speaks in: immutable, no I/O, FIX names where FIX has a word."""
