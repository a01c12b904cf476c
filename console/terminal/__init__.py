"""The terminal itself: how bytes go out and come in without ever stopping the loop."""
