"""A customer's private files: encrypted before they are stored, readable by nobody else."""
