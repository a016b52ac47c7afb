"""The way back after a restore: what the log lost is replayed and put where it was signed."""
