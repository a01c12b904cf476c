"""Screens and modals; each carries the banner on row 0."""
