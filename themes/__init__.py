"""Colour themes as data; nothing here runs."""
