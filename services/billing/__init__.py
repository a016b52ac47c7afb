"""Billing: customers at the payment gateway, tokens of cards, charges and refunds. Never sees a card number."""
