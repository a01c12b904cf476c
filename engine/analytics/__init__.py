"""What is read off the state for people: status and figures. Nothing is decided on it."""
