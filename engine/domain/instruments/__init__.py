"""The kinds of instrument, a file each; the rows of the table are in `engine.domain.instrument`."""
