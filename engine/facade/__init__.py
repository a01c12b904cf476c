"""The published names of three designs, each a thin way into the one engine (X-47, X-60).

`meridian`, `axion` and `autotrader` hold one design each, so that names that clash stay apart.
Every order, cancel and change becomes a command to the engine and passes its gate; nothing here
talks to a venue. The table of names is `docs/names.md`.
"""
