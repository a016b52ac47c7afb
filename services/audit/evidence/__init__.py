"""What the log makes of the live checks' results: alerts, and the reconciliation with what producers say."""
