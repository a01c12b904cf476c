"""Risk: profiles and their limits, the gate, kill triggers, order rates."""
