"""Routing: which account an order goes to."""
