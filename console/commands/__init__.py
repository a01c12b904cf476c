"""The commands of `meridian-tui`, a module for each kind; none imports textual."""
