"""Finding events in the log: the keyed index, the operators' search, and what a filter means."""
