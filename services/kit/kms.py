"""Owns wrapping by AWS KMS. Apart from ``envelope.py`` so that only services which need boto3 have it.

Wrapped: 0x02 | KMS ciphertext blob. The context travels as KMS encryption context, so KMS itself refuses another one.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from services.kit.config import ConfigError
from services.kit.envelope import KEY_BYTES, FileRootKey, RootKey, RootKeyConfig, RootKeyError, SealError

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient

_KMS = b"\x02"
_THREADS = 4
_LIMITS = Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3})
_NOT_OURS = ("InvalidCiphertextException", "IncorrectKeyException")


def root_key(config: RootKeyConfig) -> RootKey:
    """Return the root key that a configuration names.

    Raises:
        ConfigError: It names none, or both kinds.
        RootKeyError: The file cannot be used.
    """
    if (config.file is None) == (config.kms_key is None):
        raise ConfigError("not valid: root_key (a file or a kms_key, one of them)")
    return FileRootKey(config.file) if config.file is not None else KMSRootKey(config)


class KMSRootKey:
    """A symmetric key in KMS. boto3 blocks, so it runs in a few threads of its own."""

    def __init__(self, config: RootKeyConfig) -> None:
        """Make the client; credentials come from the machine's role or environment, as boto3 finds them.

        Raises:
            ConfigError: No key is named.
        """
        if config.kms_key is None:
            raise ConfigError("missing key: root_key.kms_key")
        self._key = config.kms_key
        self._client: KMSClient = boto3.client(
            "kms", region_name=config.kms_region, endpoint_url=config.kms_endpoint, config=_LIMITS
        )
        self._threads = ThreadPoolExecutor(_THREADS, "kms")

    async def wrap(self, key: bytes, context: bytes) -> bytes:
        """Return the key wrapped.

        Raises:
            RootKeyError: KMS is away or refuses.
        """
        if len(key) != KEY_BYTES:
            raise ValueError("a key is 32 bytes")

        def encrypt() -> bytes:
            answer = self._client.encrypt(KeyId=self._key, Plaintext=key, EncryptionContext=_bound(context))
            return answer["CiphertextBlob"]

        return _KMS + await self._run(encrypt)

    async def unwrap(self, blob: bytes, context: bytes) -> bytes:
        """Return the key that was wrapped.

        Raises:
            SealError: It was changed, or belongs to another context or root.
            RootKeyError: KMS is away or refuses.
        """
        if blob[:1] != _KMS:
            raise SealError("not wrapped by KMS")

        def decrypt() -> bytes:
            answer = self._client.decrypt(KeyId=self._key, CiphertextBlob=blob[1:], EncryptionContext=_bound(context))
            return answer["Plaintext"]

        return await self._run(decrypt)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    async def _run(self, work: Callable[[], bytes]) -> bytes:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _NOT_OURS:
                raise SealError("KMS does not open it") from None
            raise RootKeyError("KMS refuses") from None
        except BotoCoreError:
            raise RootKeyError("KMS is away") from None


def _bound(context: bytes) -> dict[str, str]:
    return {"valv": base64.urlsafe_b64encode(context).decode()}
