"""Seeded runs: the whole engine and its real adapter, over sockets, at a venue's local server."""
