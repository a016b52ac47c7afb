"""Sandboxes for development: servers that stand for what Valv reaches outside itself. Loopback only."""
