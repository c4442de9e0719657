"""How a snapshot's files are encrypted: AES-256-GCM in chunks, so that neither size nor memory matters, with one key per file.

The passphrase becomes a key by scrypt; each file has a key of its own by HKDF and a random salt. A chunk's nonce is its number
and whether it is the last one (the STREAM construction, Hoang et al. 2015), so that a file that is cut, reordered or joined
from two does not open. Names and manifests are authenticated with the same key.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from storage.records import EvidenceError

MAGIC = b"evidence sealed 1\n"
SALT_BYTES = 16
CHUNK_BYTES = 1 << 20
TAG_BYTES = 16


class SealBroken(EvidenceError):
    """An encrypted file that is cut, damaged, or was written with another key."""


class Sealer:
    """Encrypts and authenticates with one passphrase. Never prints it."""

    def __init__(self, passphrase: str, salt: bytes) -> None:
        self.salt = salt
        self._key = Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase.encode())

    @classmethod
    def fresh(cls, passphrase: str) -> Sealer:
        return cls(passphrase, os.urandom(SALT_BYTES))

    @property
    def check(self) -> str:
        """Tells two keys apart without giving either away."""
        return self.tag(b"key check")[:32]

    def tag(self, content: bytes) -> str:
        """A keyed hash of the content, hexadecimal."""
        return hmac.new(self._key, content, hashlib.sha256).hexdigest()

    def seal(self, source: BinaryIO, target: BinaryIO) -> None:
        salt = os.urandom(SALT_BYTES)
        cipher = self._cipher(salt)
        target.write(MAGIC + salt)
        number, chunk = 0, source.read(CHUNK_BYTES)
        while True:
            following = source.read(CHUNK_BYTES)
            target.write(cipher.encrypt(_nonce(number, last=not following), chunk, None))
            if not following:
                return
            number, chunk = number + 1, following

    def unseal(self, source: BinaryIO, target: BinaryIO) -> None:
        """Raises SealBroken; what was written to `target` before that is not to be used."""
        if source.read(len(MAGIC)) != MAGIC:
            raise SealBroken("It is not an encrypted file of this program.")
        cipher = self._cipher(source.read(SALT_BYTES))
        number, chunk = 0, source.read(CHUNK_BYTES + TAG_BYTES)
        while True:
            following = source.read(CHUNK_BYTES + TAG_BYTES)
            try:
                target.write(cipher.decrypt(_nonce(number, last=not following), chunk, None))
            except (InvalidTag, ValueError) as error:
                raise SealBroken("It is cut off or damaged.") from error
            if not following:
                return
            number, chunk = number + 1, following

    def _cipher(self, salt: bytes) -> AESGCM:
        return AESGCM(HKDF(SHA256(), length=32, salt=salt, info=b"evidence snapshot file").derive(self._key))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
