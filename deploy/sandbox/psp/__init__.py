"""A deterministic payment gateway for development: the part of Stripe's API that billing uses."""
