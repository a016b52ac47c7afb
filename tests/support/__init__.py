"""What tests of all services share: fakes that behave, and real certificates."""
