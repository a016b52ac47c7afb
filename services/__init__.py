"""The services; each is one process with its own store."""
