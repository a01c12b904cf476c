"""Stopping: the triggers, the latch, the kill that ends in proof."""
