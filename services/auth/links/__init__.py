"""Owns links to third parties: purpose, consent, one call with a password that is then forgotten, a sealed token."""
