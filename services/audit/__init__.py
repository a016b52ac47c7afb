"""The audit service: an append-only Merkle log of everything that happened, and each customer's view of it."""
