"""What a screen may ask of an engine: `view`, `ask`, `halt`, `follow` (`console.desk.port`)."""
