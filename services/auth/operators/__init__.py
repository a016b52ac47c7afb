"""What operators do with accounts. Must never be reached from the public edge."""
