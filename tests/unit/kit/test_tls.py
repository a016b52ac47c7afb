"""Who a peer is, TLS 1.3 only, and certificates that are replaced while the process runs."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from services.kit.faults import PERMISSION_DENIED, Fault
from services.kit.tls import Peer, TLSConfig, TLSMaterial, peer_of, require_tls13
from tests.support.clock import FakeClock
from tests.support.handshake import handshake
from tests.support.pki import Pki

DOMAIN = "valv.localhost"


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path / "pki")


def test_a_peer_is_named_by_its_one_uri() -> None:
    assert peer_of([b"spiffe://valv.localhost/auth", b"auth.valv.localhost"], DOMAIN) == Peer("auth")
    assert peer_of(["spiffe://valv.localhost/operator/anna"], DOMAIN) == Peer("operator", "anna")


@pytest.mark.clause("P3")
@pytest.mark.parametrize(
    "sans",
    [
        None,
        [],
        [b"auth.valv.localhost"],
        [b"spiffe://valv.localhost/auth", b"spiffe://valv.localhost/files"],
        [b"spiffe://valv.localhost/auth", b"urn:uuid:1"],
        [b"spiffe://other.example/auth"],
        [b"spiffe://valv.localhost.example/auth"],
        [b"https://valv.localhost/auth"],
        [b"spiffe://valv.localhost/"],
        [b"spiffe://valv.localhost/Auth"],
        [b"spiffe://valv.localhost/auth/extra"],
        [b"spiffe://valv.localhost/operator"],
        [b"spiffe://valv.localhost/operator/anna/b"],
        [b"spiffe://valv.localhost/auth\n"],
        [b"spiffe://valv.localhost/auth?role=audit"],
        [b"spiffe://valv.localhost/\xff"],
    ],
)
def test_any_other_set_of_names_is_nobody(sans: list[bytes] | None) -> None:
    with pytest.raises(Fault) as caught:
        peer_of(sans, DOMAIN)
    assert caught.value.reason is PERMISSION_DENIED


@pytest.mark.parametrize(
    "found", [{}, {"ssl_tls_version": [b"TLSv1.2"]}, {"ssl_tls_version": [b"TLSv1.3", b"TLSv1.2"]}]
)
def test_anything_but_tls_13_is_refused(found: dict[str, list[bytes]]) -> None:
    require_tls13({"ssl_tls_version": [b"TLSv1.3"]})
    with pytest.raises(Fault):
        require_tls13(found)


@pytest.mark.clause("P3", "P12")
def test_the_http_side_demands_tls_13_and_a_workload_certificate(pki: Pki) -> None:
    server = pki.material("files").ssl_context()
    client = pki.client_context("envoy")
    caller, callee = handshake(client, server, "files.valv.localhost")
    assert caller.version() == "TLSv1.3"
    certificate = callee.getpeercert()
    assert certificate is not None
    assert ("URI", "spiffe://valv.localhost/envoy") in certificate["subjectAltName"]

    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match=r"PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL"):
        handshake(client, server, "files.valv.localhost")
    stranger = ssl.create_default_context(cafile=str(pki.folder / "workload" / "ca.pem"))
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        handshake(stranger, server, "files.valv.localhost")
    stranger.load_cert_chain(pki.folder / "browser" / "edge.pem", pki.folder / "browser" / "edge.key")
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        handshake(stranger, server, "files.valv.localhost")


def test_a_replaced_certificate_is_served_at_the_next_handshake(pki: Pki) -> None:
    clock = FakeClock()
    material = TLSMaterial(pki.config("files"), clock)
    server, client = material.ssl_context(), pki.client_context("envoy")

    def served() -> bytes | None:
        return handshake(client, server, "files.valv.localhost")[0].getpeercert(binary_form=True)

    before, generation = served(), material.generation
    pki.reissue("files")
    assert served() == before  # not looked at more than once a second
    clock.advance(1)
    assert served() != before
    assert material.generation == generation + 1


def test_a_replaced_ca_is_what_counts_from_then_on(pki: Pki) -> None:
    clock = FakeClock()
    material = TLSMaterial(pki.config("files"), clock)
    server = material.ssl_context()
    old = pki.client_context("envoy")
    (pki.folder / "workload" / "ca.key").unlink()
    pki.issue(["files", "envoy"])
    clock.advance(1)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        handshake(old, server, "files.valv.localhost")
    handshake(pki.client_context("envoy"), server, "files.valv.localhost")


@pytest.mark.parametrize("wrong", ["absent", "garbage", "other key"])
def test_half_replaced_files_change_nothing_until_they_are_whole(pki: Pki, wrong: str) -> None:
    clock = FakeClock()
    config = pki.config("files")
    material = TLSMaterial(config, clock)
    generation, expires, whole = material.generation, material.expires, config.key.read_bytes()
    if wrong == "absent":
        config.key.unlink()
    elif wrong == "garbage":
        config.key.write_bytes(b"not a key")
    else:
        config.key.write_bytes(pki.config("envoy").key.read_bytes())
    clock.advance(2)
    assert (material.generation, material.expires) == (generation, expires)
    handshake(pki.client_context("envoy"), material.ssl_context(), "files.valv.localhost")
    config.key.write_bytes(whole)
    pki.reissue("files")
    clock.advance(2)
    assert material.generation == generation + 1


def test_a_process_does_not_start_with_a_key_of_another_certificate(pki: Pki) -> None:
    files, envoy = pki.config("files"), pki.config("envoy")
    with pytest.raises(ValueError, match="does not belong"):
        TLSMaterial(TLSConfig(DOMAIN, files.certificate, envoy.key, files.bundle), FakeClock())
