"""What auth holds about a person, for that person. Must never hold a secret or the hash of one."""
