"""One widget a file: the parts panes and screens are built from."""
