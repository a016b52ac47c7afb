"""Owns the small grammar of RBAC rules: what a request must or must not say."""

from __future__ import annotations

from services.gateway.xds.protos import Table


def policy(permission: Table) -> Table:
    """A policy for everybody."""
    return {"permissions": [permission], "principals": [{"any": True}]}


def present(name: str) -> Table:
    """The header is there."""
    return {"header": {"name": name, "present_match": True}}


def header(name: str, value: str) -> Table:
    """The header is this."""
    return {"header": {"name": name, "string_match": {"exact": value}}}


def regex(name: str, pattern: str) -> Table:
    """The whole header matches."""
    return {"header": {"name": name, "string_match": {"safe_regex": {"regex": pattern}}}}


def no(rule: Table) -> Table:
    """The rule does not hold."""
    return {"not_rule": rule}


def either(*rules: Table) -> Table:
    """One of the rules holds."""
    return {"or_rules": {"rules": list(rules)}}


def every(*rules: Table) -> Table:
    """All rules hold."""
    return {"and_rules": {"rules": list(rules)}}
