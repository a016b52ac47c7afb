"""Second factors, passkeys and recovery codes: what a person adds to their password, or puts in its place."""
