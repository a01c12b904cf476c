"""How each event changes the book, one small rule an event, by subject."""
