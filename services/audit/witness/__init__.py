"""Witnesses: others who cosign each head of the log, and know which they have seen."""
