"""What every service shares: bootstrap, identity, policy, audit scope, outbox, stores. It imports no service."""
