"""Seeded runs against venues that lag, lie and restart as real ones do, and are not ours alone.

`switches` says what may be wrong; `venue`, `line` and `prices` do it; `sheet` adds up by itself
what was executed; and `invariants` holds the engine against it.
"""
