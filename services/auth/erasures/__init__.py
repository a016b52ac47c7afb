"""The erasure of an account and all its data, service by service. Must never forget one that was begun."""
