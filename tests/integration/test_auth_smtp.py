"""Mail leaves over verified TLS, or not at all."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.auth.courier import Undelivered
from services.auth.smtp import Security, Smtp, SmtpConfig
from services.kit.clock import SystemClock
from services.kit.config import Profile
from tests.integration.auth_stage import Mailbox, mail_server


def certificate(folder: Path, name: str) -> Path:
    """Write a self-signed certificate and its key into one PEM file."""
    now, key = SystemClock().now(), ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / f"{name}.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + pem)
    return path


@asynccontextmanager
async def starttls_server(path: Path, mailbox: Mailbox) -> AsyncIterator[int]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    async with mail_server(mailbox, context, require_starttls=True) as port:
        yield port


def mail() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "valv@valv.example", "anna@example.com", "Hello"
    message.set_content("Hello")
    return message


@pytest.mark.clause("ASVS 12.3.1", "ASVS 12.3.2")
async def test_starttls_is_used_and_the_server_verified(tmp_path: Path) -> None:
    path, mailbox = certificate(tmp_path, "localhost"), Mailbox()
    async with starttls_server(path, mailbox) as port:
        trusting = SmtpConfig("localhost", port, "valv@valv.example", ca_file=path)
        await Smtp(trusting).deliver(mail())
        assert mailbox.tls == [True]
        doubting = SmtpConfig("localhost", port, "valv@valv.example")
        with pytest.raises(Undelivered) as refused:
            await Smtp(doubting).deliver(mail())
    assert not refused.value.for_good
    assert len(mailbox.mails) == 1


async def test_another_servers_certificate_gets_no_mail(tmp_path: Path) -> None:
    path, mailbox = certificate(tmp_path, "elsewhere.example"), Mailbox()
    async with starttls_server(path, mailbox) as port:
        config = SmtpConfig("localhost", port, "valv@valv.example", ca_file=path)
        with pytest.raises(Undelivered):
            await Smtp(config).deliver(mail())
    assert mailbox.mails == []


@pytest.mark.clause("ASVS 12.3.1")
async def test_a_server_without_starttls_gets_no_mail() -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        for security in (Security.STARTTLS, Security.TLS):
            config = SmtpConfig("127.0.0.1", port, "valv@valv.example", security=security, timeout_seconds=3)
            with pytest.raises(Undelivered):
                await Smtp(config).deliver(mail())
    assert mailbox.mails == []


async def test_nobody_there_is_not_for_good() -> None:
    with pytest.raises(Undelivered) as refused:
        await Smtp(SmtpConfig("127.0.0.1", 1, "valv@valv.example", security=Security.NONE)).deliver(mail())
    assert not refused.value.for_good
    assert refused.value.__suppress_context__


class Refusing(Mailbox):
    """Takes nobody's mail."""

    def __init__(self, answer: str) -> None:
        super().__init__()
        self.answer = answer

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, _envelope: Envelope, _address: str, _options: list[str]
    ) -> str:
        return self.answer


@pytest.mark.parametrize("answer, for_good", [("550 no such mailbox", True), ("451 try later", False)])
async def test_a_recipient_is_refused_for_good_or_for_now(answer: str, *, for_good: bool) -> None:
    async with mail_server(Refusing(answer)) as port:
        with pytest.raises(Undelivered) as refused:
            await Smtp(SmtpConfig("127.0.0.1", port, "valv@valv.example", security=Security.NONE)).deliver(mail())
    assert refused.value.for_good is for_good


@pytest.mark.parametrize(
    "host, profile, safe",
    [
        ("127.0.0.1", Profile.DEVELOPMENT, True),
        ("::1", Profile.DEVELOPMENT, True),
        ("localhost", Profile.DEVELOPMENT, False),
        ("192.0.2.1", Profile.DEVELOPMENT, False),
        ("127.0.0.1", Profile.PRODUCTION, False),
    ],
)
def test_clear_text_is_for_this_machine_in_development(host: str, profile: Profile, *, safe: bool) -> None:
    config = SmtpConfig(host, 25, "valv@valv.example", security=Security.NONE)
    if safe:
        config.require_safe(profile)
    else:
        with pytest.raises(ValueError, match="loopback"):
            config.require_safe(profile)
