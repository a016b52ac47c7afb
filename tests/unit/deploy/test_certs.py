"""The development certificates: what they say, what they may not say, and when they are replaced."""

from __future__ import annotations

import shutil
import ssl
import stat
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from deploy.cli import certs
from services.kit.clock import SystemClock
from tests.support.clock import FakeClock
from tests.support.handshake import handshake
from tests.support.pki import Pki

ROLES = ("auth", "envoy")


def trusting(folder: Path, authority: str, role: str | None = None) -> ssl.SSLContext:
    """A client that trusts one of the CAs."""
    context = ssl.create_default_context(cafile=str(folder / authority / "ca.pem"))
    if role is not None:
        context.load_cert_chain(folder / "workload" / f"{role}.pem", folder / "workload" / f"{role}.key")
    return context


def serving(certificate: Path) -> ssl.SSLContext:
    """A server with this certificate that asks its clients for none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return context


def names_of(path: Path) -> list[str]:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    certs.issue(tmp_path / "pki", ROLES, SystemClock().now(), fronts=("edge", "shop"))
    return tmp_path / "pki"


def signed_by(folder: Path, authority: str, name: str, *names: x509.GeneralName) -> Path:
    """A certificate that a CA signs although it must not name these."""
    pair = certs._read(folder / authority / "ca")
    assert pair is not None
    leaf = certs._Leaf("Valv forged", names, (certs._CLIENT, certs._SERVER))
    certs._sign_leaf(folder / name, pair, leaf, SystemClock().now(), certs.LIFETIME)
    return folder / f"{name}.pem"


def test_a_workload_has_one_uri_and_one_dns_name(folder: Path) -> None:
    assert names_of(folder / "workload" / "auth.pem") == ["spiffe://valv.localhost/auth", "auth.valv.localhost"]


def test_nothing_is_readable_by_others(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_browsers_that_trust_the_browser_ca_reach_localhost(folder: Path) -> None:
    for name in ("localhost", "127.0.0.1", "::1"):
        handshake(trusting(folder, "browser"), serving(folder / "browser" / "edge.pem"), name)


@pytest.mark.clause("P3")
def test_trusting_the_browser_ca_admits_no_workload(folder: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(trusting(folder, "browser"), serving(folder / "workload" / "auth.pem"), "auth.valv.localhost")


@pytest.mark.clause("P3")
@pytest.mark.parametrize(
    "name",
    [
        x509.DNSName("localhost"),
        x509.DNSName("bank.example"),
        x509.UniformResourceIdentifier("spiffe://other.example/auth"),
        x509.IPAddress(certs._LOCAL_ADDRESSES[0].network_address),
        x509.IPAddress(certs._LOCAL_ADDRESSES[1].network_address),
    ],
    ids=str,
)
def test_the_workload_ca_cannot_name_anything_else(folder: Path, name: x509.GeneralName) -> None:
    forged = signed_by(folder, "workload", "forged", x509.DNSName("auth.valv.localhost"), name)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"permitted subtree violation|excluded subtree violation"):
        handshake(trusting(folder, "workload"), serving(forged), "auth.valv.localhost")


@pytest.mark.clause("P3")
@pytest.mark.parametrize(
    "name",
    [
        x509.DNSName("auth.valv.localhost"),
        x509.DNSName("bank.example"),
        x509.UniformResourceIdentifier("spiffe://valv.localhost/auth"),
    ],
    ids=str,
)
def test_the_browser_ca_cannot_name_anything_but_localhost(folder: Path, name: x509.GeneralName) -> None:
    forged = signed_by(folder, "browser", "forged", x509.DNSName("localhost"), name)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"permitted subtree violation|excluded subtree violation"):
        handshake(trusting(folder, "browser"), serving(forged), "localhost")


def test_what_is_valid_for_more_than_a_day_is_kept(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    certs.issue(folder, ROLES, SystemClock().now() + timedelta(days=28), fronts=("edge", "shop"))
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before


def test_what_ends_within_a_day_is_reissued_and_the_cas_stay(folder: Path) -> None:
    authority = (folder / "workload" / "ca.pem").read_bytes()
    before = (folder / "workload" / "auth.pem").read_bytes()
    certs.issue(folder, ROLES, SystemClock().now() + timedelta(days=29, minutes=1))
    assert (folder / "workload" / "auth.pem").read_bytes() != before
    assert (folder / "workload" / "ca.pem").read_bytes() == authority


def test_a_lost_key_or_ca_is_replaced_with_all_that_hangs_on_it(folder: Path) -> None:
    (folder / "workload" / "ca.key").unlink()
    certs.issue(folder, ROLES, SystemClock().now())
    authority = x509.load_pem_x509_certificate((folder / "workload" / "ca.pem").read_bytes())
    for role in ROLES:
        x509.load_pem_x509_certificate((folder / "workload" / f"{role}.pem").read_bytes()).verify_directly_issued_by(
            authority
        )


@pytest.mark.parametrize("role", ["", "Auth", "operator/anna", "a.b", "ca", "-a", "a\n", "å"])
def test_a_role_is_a_plain_label(tmp_path: Path, role: str) -> None:
    with pytest.raises(ValueError, match="label"):
        certs.issue(tmp_path, [role], FakeClock().now())


def test_an_operator_gets_a_certificate_for_a_day_at_most(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    path = certs.issue_operator(tmp_path, "anna", pki.clock.now())
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    assert names_of(path) == ["spiffe://valv.localhost/operator/anna"]
    assert certificate.not_valid_after_utc - pki.clock.now() <= timedelta(hours=24)
    uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [certs._CLIENT]
    with pytest.raises(ValueError, match="24 hours"):
        certs.issue_operator(tmp_path, "anna", pki.clock.now(), lifetime=timedelta(hours=25))


def test_openssl_agrees(folder: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl command on this machine")
    certs.issue_operator(folder, "anna", SystemClock().now())
    forged = signed_by(folder, "workload", "forged", x509.DNSName("localhost"))

    def verifies(authority: str, certificate: Path) -> bool:
        anchor = folder / authority / "ca.pem"
        return (
            subprocess.run([openssl, "verify", "-x509_strict", "-CAfile", anchor, certificate], check=False).returncode
            == 0
        )

    good = [folder / "workload" / "auth.pem", folder / "operator" / "anna.pem"]
    assert all(verifies("workload", path) for path in good)
    assert verifies("browser", folder / "browser" / "edge.pem")
    assert not verifies("workload", forged)
    assert not verifies("browser", folder / "workload" / "auth.pem")
