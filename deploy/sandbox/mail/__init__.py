"""The development mail server: takes every mail on loopback and shows it on a page. Never part of the product."""
