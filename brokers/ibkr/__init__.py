"""Interactive Brokers, through TWS or its gateway (C-230..C-232)."""
