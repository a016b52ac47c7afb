"""The rules that keep Valv small, layered and honest."""
