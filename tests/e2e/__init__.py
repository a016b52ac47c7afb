"""The whole of Valv, from the outside."""
