"""The values the whole house speaks in: immutable, without I/O, named after FIX where FIX has a word."""
