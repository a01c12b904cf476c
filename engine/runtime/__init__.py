"""The carrier: inputs in, events to the journal, effects to the venue. It decides nothing."""
