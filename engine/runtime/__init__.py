"""Carries inputs to the core, its events to the journal and its orders to the venues."""
