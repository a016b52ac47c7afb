"""Envoy's configuration: built from the contracts as an immutable snapshot, and carried by ADS apart from that."""
