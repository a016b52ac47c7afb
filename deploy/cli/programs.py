"""Owns the list of processes of a development installation: commands, order, readiness."""

from __future__ import annotations

from pathlib import Path

from deploy.cli import readiness
from deploy.cli.layout import Layout
from deploy.cli.stack import Program, python


def programs(layout: Layout) -> tuple[Program, ...]:
    """Return every process, in an order that can be started."""
    ports = layout.ports

    def service(role: str, port: int, about: str, *after: str) -> Program:
        command = python(f"services.{role}", "--config", str(layout.configs / f"{role}.toml"))
        return Program(role, command, after, readiness.grpc_health(layout, role, port), _log(layout, role), about)

    def sandbox(name: str, serves: readiness.Probe, about: str, *after: str) -> Program:
        command = python(f"deploy.sandbox.{name}", "--config", str(layout.configs / f"{name}.toml"))
        return Program(name, command, after, serves, _log(layout, name), about)

    return (
        sandbox("mail", readiness.http(ports.mail), f"mail sandbox    http://127.0.0.1:{ports.mail}"),
        sandbox("psp", readiness.https(layout, ports.psp, "/healthz"), "payment gateway sandbox"),
        service("audit", ports.audit, "audit: the log, its tree, the evidence"),
        service("auth", ports.auth, "auth: accounts and sessions"),
        service("files", ports.files, "files: encrypted bytes"),
        service("billing", ports.billing, "billing: tokens and charges", "psp"),
        service("gateway", ports.gateway, "gateway: Envoy's control plane", "auth", "audit"),
        _envoy(layout, "gateway", "auth", "files", "billing", "audit"),
        sandbox(
            "shop",
            readiness.https(layout, ports.shop, "/healthz"),
            f"a small shop    https://localhost:{ports.shop}",
            "auth",
            "billing",
        ),
    )


def _envoy(layout: Layout, *after: str) -> Program:
    command = (
        str(layout.envoy), "--config-path", str(layout.configs / "envoy.json"),
        "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning", "--drain-time-s", "1",
    )  # fmt: skip
    serves = readiness.envoy(layout, admin_socket(layout))
    return Program("envoy", command, after, serves, _log(layout, "envoy"), f"the edge        {layout.address}")


def admin_socket(layout: Layout) -> Path:
    """Return the path of Envoy's admin socket."""
    return layout.state / "envoy-admin.sock"


def _log(layout: Layout, name: str) -> Path:
    return layout.logs / f"{name}.log"
