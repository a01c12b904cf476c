"""The values that every package uses: immutable, no I/O, FIX names where FIX has a word."""
