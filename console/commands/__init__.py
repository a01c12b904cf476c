"""What a person may ask of the engine and of the console, each command declared once.

Keys, footer, help, palette, control socket and command line are made from `table.COMMANDS`. Only
the standard library is loaded here, so that a `kill` from a shell is quick.
"""
