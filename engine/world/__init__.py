"""What a decision may read: the state, the market, the limits in force, the evidence."""

from engine.world.world import World

__all__ = ["World"]
