"""Interactive Brokers: its settings; the adapter is not built yet."""
