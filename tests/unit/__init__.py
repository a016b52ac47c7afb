"""Behaviour of single modules, without sockets."""
