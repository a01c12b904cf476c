"""What is computed from completed bars, the same in every rule that reads it."""
