"""Real processes over real mTLS and real stores."""
