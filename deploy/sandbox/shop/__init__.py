"""A small shop: stands for a team's own application that asks Valv who is signed in and charges their card."""
