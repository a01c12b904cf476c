"""The terminal console, the command line, and the supervisor that wires everything."""
