"""Encrypting single values: AES-256-GCM for what is only read, AES-256-SIV for what is looked up by equality.

Each namespace has a data key of its own, which gives two keys:

    cells: AES-256-GCM with a random 96-bit nonce for every value
    fixed: AES-256-SIV (RFC 5297); equal values give equal bytes. Only for what is unique in a namespace anyway, and for
           digests of callers' vectors, so that hardly anything is told by what is equal

What a value is bound to (store, table, column, namespace, row) is authenticated with it: elsewhere it does not open.
A text stays a text (base64), so that the columns keep their types.

A random nonce may be drawn about 2^32 times for a key; `MOST_ENTRIES` keeps a store below that.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import b64decode, b64encode
from typing import TypeVar

from mnemoloom.chain.anchors import Field, framed
from mnemoloom.errors import ConfigError, CorruptionError, EncryptionKeyError, require

__all__ = ["KEY_BYTES", "MOST_ENTRIES", "DataKey", "MasterKey", "Undecipherable", "check_encryption_key"]

V = TypeVar("V", str, bytes)

KEY_BYTES = 32
MOST_ENTRIES = 1 << 28  # of the log: each writes at most 16 values
_HEX = re.compile(r"[0-9A-Fa-f]{64}")  # a key as a text
_NONCE = 12
_SALT = 16
_PASSPHRASE = 12  # characters, the least
_SCRYPT = (15, 8, 3)  # log2 n, r, p: one of OWASP's choices; 32 MiB of memory
_HIGHEST = (20, 16, 16)  # that a file may ask for


class Undecipherable(Exception):  # noqa: N818 - caught and named where the row is known
    """A value was changed, was put elsewhere, or belongs to another key."""


def check_encryption_key(key: object) -> bytes | str:
    """The key or passphrase, if it is one; a text of 64 hex digits is a key of 32 bytes.

    Raises ConfigError, which does not show it; MissingExtraError.
    """
    require("cryptography", extra="encryption")
    if isinstance(key, (bytes, bytearray)):
        if len(key) != KEY_BYTES:
            raise ConfigError(f"an encryption key has {KEY_BYTES} bytes; got {len(key)}")
        return bytes(key)
    if isinstance(key, str):
        if _HEX.fullmatch(key):
            return bytes.fromhex(key)
        if len(key) < _PASSPHRASE:
            raise ConfigError(f"a passphrase has at least {_PASSPHRASE} characters; got {len(key)}")
        return key
    raise ConfigError(f"an encryption key is {KEY_BYTES} bytes, or a passphrase; got {type(key).__name__}")


class MasterKey:
    """Wraps the data keys of one store; made from 32 bytes, or from a passphrase with scrypt.

    salt: empty for a key; for a passphrase 16 random bytes after the three parameters of scrypt. It is stored beside
    the wrapped keys.
    """

    def __init__(self, key: bytes | str, *, store: str, salt: bytes | None = None) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if isinstance(key, str):
            self.salt = bytes(_SCRYPT) + secrets.token_bytes(_SALT) if salt is None else salt
            key = _stretched(key, self.salt)
        elif salt:
            raise EncryptionKeyError(
                "the store is encrypted under a passphrase; a key of 32 bytes was given (64 hex digits are one, too)"
            )
        else:
            self.salt = b""
        self._store = store
        self._cipher = AESGCM(hmac.digest(key, framed(("vault/v1", store)), "sha256"))

    def wrap(self, namespace: int, data: bytes) -> bytes:
        """A data key as it is stored."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, data, framed((self._store, namespace)))

    def unwrap(self, namespace: int, wrapped: bytes) -> bytes:
        """The data key. Raises Undecipherable."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], framed((self._store, namespace)))
        except (InvalidTag, ValueError) as error:
            raise Undecipherable from error


class DataKey:
    """Encrypts and decrypts the values of one namespace."""

    def __init__(self, data: bytes, *, store: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

        self._store = store
        self._cells = AESGCM(hmac.digest(data, b"cells", "sha256"))
        self._fixed = AESSIV(hmac.digest(data, b"fixed", "sha512"))

    def lock(self, value: V, *place: Field) -> V:
        """A value encrypted anew, bound to its place."""
        nonce = secrets.token_bytes(_NONCE)
        return _like(value, nonce + self._cells.encrypt(nonce, _plain(value), framed((self._store, *place))))

    def unlock(self, value: V, *place: Field) -> V:
        """The value that was locked at this place. Raises Undecipherable."""
        from cryptography.exceptions import InvalidTag

        try:
            data = _raw(value)
            return _told(value, self._cells.decrypt(data[:_NONCE], data[_NONCE:], framed((self._store, *place))))
        except (InvalidTag, ValueError) as error:
            raise Undecipherable from error

    def fix(self, value: V, *place: Field) -> V:
        """A value encrypted so that an equal one at an equal place gives the same."""
        return _like(value, self._fixed.encrypt(b"\0" + _plain(value), [framed((self._store, *place))]))

    def unfix(self, value: V, *place: Field) -> V:
        """The value that was fixed at this place. Raises Undecipherable."""
        from cryptography.exceptions import InvalidTag

        try:
            return _told(value, self._fixed.decrypt(_raw(value), [framed((self._store, *place))])[1:])
        except (InvalidTag, ValueError) as error:
            raise Undecipherable from error


def _stretched(passphrase: str, salt: bytes) -> bytes:
    """The key that scrypt makes of a passphrase; takes some tenths of a second."""
    if not salt:
        raise EncryptionKeyError(
            "the store is encrypted under a key of 32 bytes; a passphrase was given "
            "(a text is a key if it is 64 hex digits, and nothing else)"
        )
    asked = tuple(salt[: len(_SCRYPT)])
    if len(salt) != len(_SCRYPT) + _SALT or not all(1 <= a <= b for a, b in zip(asked, _HIGHEST, strict=True)):
        raise CorruptionError("table vault holds no salt that could be its own")
    power, r, p = asked
    return hashlib.scrypt(
        passphrase.encode(), salt=salt, n=1 << power, r=r, p=p, maxmem=(128 * r << power) + (64 << 20), dklen=KEY_BYTES
    )


def _plain(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _like(value: V, data: bytes) -> V:
    return b64encode(data).decode("ascii") if isinstance(value, str) else data


def _raw(value: str | bytes) -> bytes:
    return b64decode(value, validate=True) if isinstance(value, str) else value


def _told(value: V, data: bytes) -> V:
    return data.decode() if isinstance(value, str) else data
