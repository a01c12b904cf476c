"""The exit rules: when a position is to be closed. `engine.plans` carries the close."""
