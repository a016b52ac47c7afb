"""How long things stay: security records, cold storage, retention, legal holds. Must never touch the tree."""
