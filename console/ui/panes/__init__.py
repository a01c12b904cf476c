"""The six panes, one a file."""
