"""Sizing: how much of what, and which bound decided it (U-15)."""
