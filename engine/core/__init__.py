"""The core: from an input to the events it leads to. Pure: no I/O, no clock, no random source."""
