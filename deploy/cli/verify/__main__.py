"""Runs `valv verify` by itself: `python -m deploy.cli.verify`."""

import sys

from deploy.cli.verify import main

raise SystemExit(main(sys.argv[1:]))
