"""`valv verify`: checks receipts, checkpoints and whole logs offline, without trusting whoever handed them over.

Needs Python and `cryptography`, nothing else of Valv: it shares no code with the service whose word it checks.
"""

from deploy.cli.verify.command import main

__all__ = ["main"]
