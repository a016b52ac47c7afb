"""Owns the development certificates: two name-constrained CAs and what they sign. Never used by a production profile.

The browser CA may name only localhost, the workload CA only the trust domain, so trusting the first never admits a
service. Names follow SPIFFE's X.509-SVID: one URI SAN per workload, never the common name.

Layout (folders 0700, files 0600)::

    <folder>/browser/ca.pem    ca.key   <front>.pem <front>.key       for https://localhost
    <folder>/workload/ca.pem   ca.key   <role>.pem  <role>.key        spiffe://<domain>/<role>
    <folder>/operator/<name>.pem  <name>.key                          spiffe://<domain>/operator/<name>
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.kit.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Sequence

DOMAIN = "valv.localhost"
AUTHORITY_LIFETIME = timedelta(days=365)
LIFETIME = timedelta(days=30)
OPERATOR_LIFETIME = timedelta(hours=24)
RENEW_BEFORE = timedelta(days=1)
BACKDATED = timedelta(minutes=5)
_LABEL = re.compile(r"[a-z][a-z0-9-]{0,62}")
_FRONT_CURVE = ec.SECP384R1()  # the edge speaks CNSA suites only, which take no smaller one
_CLIENT, _SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
_EVERY_ADDRESS = (x509.IPAddress(ipaddress.ip_network("0.0.0.0/0")), x509.IPAddress(ipaddress.ip_network("::/0")))
_LOCAL_ADDRESSES = (ipaddress.ip_network("127.0.0.1/32"), ipaddress.ip_network("::1/128"))


@dataclass(frozen=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class _Leaf:
    """What a certificate says of its holder."""

    title: str
    names: tuple[x509.GeneralName, ...]
    uses: tuple[x509.ObjectIdentifier, ...]
    curve: ec.EllipticCurve = field(default_factory=ec.SECP256R1)


def issue(
    folder: Path, roles: Sequence[str], now: datetime, *, domain: str = DOMAIN, fronts: Sequence[str] = ("edge",)
) -> None:
    """Issue what is missing or ends within a day; keep the rest.

    Args:
        folder: Where the certificates live.
        roles: One workload certificate each, for clients and servers.
        now: Aware UTC.
        domain: The trust domain.
        fronts: One certificate for localhost each, for what browsers reach.

    Raises:
        ValueError: A role or front is not a lower-case DNS label, or two are the same file.
    """
    browser = _authority(folder / "browser", "Valv development browser CA", browser_constraints(domain), now)
    for front in fronts:
        names = (x509.DNSName("localhost"), *(x509.IPAddress(local.network_address) for local in _LOCAL_ADDRESSES))
        leaf = _Leaf(f"Valv {front}", names, (_SERVER,), _FRONT_CURVE)
        _keep_or_issue(folder / "browser" / _label(front), browser, leaf, now, LIFETIME)
    workload = _authority(folder / "workload", "Valv development workload CA", workload_constraints(domain), now)
    for role in roles:
        leaf = _Leaf(
            f"Valv {role}", (_spiffe(domain, role), x509.DNSName(f"{_label(role)}.{domain}")), (_CLIENT, _SERVER)
        )
        _keep_or_issue(folder / "workload" / role, workload, leaf, now, LIFETIME)


def issue_operator(
    folder: Path, name: str, now: datetime, *, domain: str = DOMAIN, lifetime: timedelta = OPERATOR_LIFETIME
) -> Path:
    """Issue a personal certificate, always a new one; return the certificate's path (the key is beside it, ``.key``).

    Raises:
        ValueError: The name is not a lower-case DNS label, or the lifetime is over 24 hours.
    """
    if not timedelta(0) < lifetime <= OPERATOR_LIFETIME:
        message = "an operator's certificate lives at most 24 hours"
        raise ValueError(message)
    workload = _authority(folder / "workload", "Valv development workload CA", workload_constraints(domain), now)
    leaf = _Leaf(f"Valv operator {_label(name)}", (_spiffe(domain, f"operator/{name}"),), (_CLIENT,))
    stem = folder / "operator" / name
    _private_folder(stem.parent)
    _sign_leaf(stem, workload, leaf, now, lifetime)
    return stem.with_suffix(".pem")


def browser_constraints(domain: str) -> x509.NameConstraints:
    """Admit localhost only, and not the trust domain below it.

    The URI subtree names no host that can exist: without one, any URI would be admitted.
    """
    addresses = (x509.IPAddress(local) for local in _LOCAL_ADDRESSES)
    permitted = (x509.DNSName("localhost"), *addresses, x509.UniformResourceIdentifier("browser.invalid"))
    return x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=(x509.DNSName(domain),))


def workload_constraints(domain: str) -> x509.NameConstraints:
    """Admit the trust domain's URIs and DNS names only, and no address."""
    permitted = (x509.UniformResourceIdentifier(domain), x509.DNSName(domain))
    return x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=_EVERY_ADDRESS)


def _label(text: str) -> str:
    if not _LABEL.fullmatch(text) or text == "ca":
        message = "a name must be a lower-case DNS label, and not 'ca'"
        raise ValueError(message)
    return text


def _spiffe(domain: str, path: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(f"spiffe://{domain}/{path}")


def _authority(folder: Path, title: str, constraints: x509.NameConstraints, now: datetime) -> _Authority:
    _private_folder(folder)
    stem = folder / "ca"
    kept = _read(stem)
    if kept is not None and _lives(kept.certificate, now) and _constraints_of(kept.certificate) == constraints:
        return kept
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    certificate = (
        _builder(name, name, key, now, now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(constraints, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(stem, certificate, key)
    return _Authority(certificate, key)


def _keep_or_issue(stem: Path, authority: _Authority, leaf: _Leaf, now: datetime, lifetime: timedelta) -> None:
    kept = _read(stem)
    if kept is None or not _lives(kept.certificate, now) or not _is_of(kept.certificate, authority, leaf):
        _sign_leaf(stem, authority, leaf, now, lifetime)


def _sign_leaf(stem: Path, authority: _Authority, leaf: _Leaf, now: datetime, lifetime: timedelta) -> None:
    key = ec.generate_private_key(leaf.curve)
    issuer = authority.certificate
    ends = min(now + lifetime, issuer.not_valid_after_utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, leaf.title)])
    certificate = (
        _builder(subject, issuer.subject, key, now, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(leaf.uses), critical=False)
        .add_extension(x509.SubjectAlternativeName(leaf.names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    _write(stem, certificate, key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, ends: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    return builder.serial_number(x509.random_serial_number()).not_valid_before(now - BACKDATED).not_valid_after(ends)


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _lives(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEW_BEFORE


def _is_of(certificate: x509.Certificate, authority: _Authority, leaf: _Leaf) -> bool:
    try:
        certificate.verify_directly_issued_by(authority.certificate)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is not ours: a new one is issued
        return False
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    key = certificate.public_key()
    fits = isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == leaf.curve.name
    return fits and set(names) == set(leaf.names)


def _constraints_of(certificate: x509.Certificate) -> x509.NameConstraints:
    return certificate.extensions.get_extension_for_class(x509.NameConstraints).value


def _read(stem: Path) -> _Authority | None:
    """Return the pair kept at a stem; None when either is absent or the two do not belong together."""
    try:
        certificate = x509.load_pem_x509_certificate(stem.with_suffix(".pem").read_bytes())
        key = serialization.load_pem_private_key(stem.with_suffix(".key").read_bytes(), password=None)
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None
    return _Authority(certificate, key)


def _private_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    folder.parent.chmod(0o700)


def _write(stem: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _replace(stem.with_suffix(".key"), encoded)
    _replace(stem.with_suffix(".pem"), certificate.public_bytes(serialization.Encoding.PEM))


def _replace(path: Path, content: bytes) -> None:
    """Write a file that nobody else can read, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def main() -> None:
    """Issue the development certificates."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("roles", nargs="+", help="workload roles, such as auth or envoy")
    parser.add_argument("--front", action="append", default=None, help="a browser-facing certificate for localhost")
    arguments = parser.parse_args()
    issue(arguments.folder, arguments.roles, SystemClock().now(), fronts=arguments.front or ["edge"])


if __name__ == "__main__":
    main()
