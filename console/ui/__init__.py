"""What is drawn and which key does what; textual is imported here and in `console.terminal`."""
