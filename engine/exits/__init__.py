"""When to close, and how a close is carried through: the indicators, the rules, the work."""
