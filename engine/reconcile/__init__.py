"""One pure comparison between us and the venue."""
