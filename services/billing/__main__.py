"""Runs billing: `python -m services.billing --config FILE`."""

from services.billing.suites import pin_suites

if __name__ == "__main__":
    pin_suites("services.billing")

    from services.billing.app import build
    from services.billing.config import Config
    from services.kit.main import run

    raise SystemExit(run("billing", Config, build))
