"""What takes several steps: one state machine a file, moved on by reports and timers."""
