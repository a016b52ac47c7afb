"""The auth service: accounts, credentials and sessions. The only place in Valv that sees a password."""
