"""Exits: the EMA clouds they look at and the rules that close a position (A-140…A-169)."""
