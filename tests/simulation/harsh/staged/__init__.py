"""Runs in which something happens on purpose that no seed of the harsh profiles brings about."""
