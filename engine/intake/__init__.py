"""Intake: what asks for a trade, from the built-in signals and from outside, made fit to judge."""
