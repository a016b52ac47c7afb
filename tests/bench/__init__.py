"""Measurements: each bench_*.py has run() -> numbers by name, and measures a raw limit beside Valv in the same run."""
