"""Signing the chain with a secret key, so that nobody without it can write a history that verifies.

    tag  = HMAC-SHA256(key, LP("memlog/v2", store, entry))
    mark = HMAC-SHA256(key, LP("memlog/v2 key", store)): names a key in the log without telling it

An entry binds all earlier ones, and so does its tag: whoever has the key that signed the newest entry needs no older
key to know that nothing before it was changed. The key is the caller's, and is never stored.
"""

from __future__ import annotations

import hmac
from functools import lru_cache

from mnemoloom.chain.anchors import framed
from mnemoloom.errors import ConfigError

__all__ = ["KEY_BYTES", "Signer", "check_key", "entry_tag", "key_id_of", "key_mark"]

KEY_BYTES = 16  # the least


def check_key(key: object) -> bytes:
    """The key, if it is one. Raises ConfigError, which does not show it."""
    if not isinstance(key, (bytes, bytearray)):
        raise ConfigError(f"a key is bytes; got {type(key).__name__}")
    if len(key) < KEY_BYTES:
        raise ConfigError(f"a key has at least {KEY_BYTES} bytes; got {len(key)}")
    return bytes(key)


def entry_tag(key: bytes, store: str, entry: bytes) -> bytes:
    """The 32-byte tag of an entry's digest."""
    return hmac.digest(key, _tag_frame(store) + len(entry).to_bytes(4, "little") + entry, "sha256")


@lru_cache(maxsize=16)
def _tag_frame(store: str) -> bytes:
    return framed(("memlog/v2", store))


def key_mark(key: bytes, store: str) -> bytes:
    """The 32 bytes by which the log of this store names a key."""
    return hmac.digest(key, framed(("memlog/v2 key", store)), "sha256")


def key_id_of(mark: bytes) -> str:
    """16 hex digits of a key's mark, for people."""
    return mark[:8].hex()


class Signer:
    """Signs the entries of one store with the key in use, if there is one."""

    def __init__(self, store: str, key: bytes | None) -> None:
        self.store = store
        self._key = key

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The key in use, or nothing."""
        return () if self._key is None else (self._key,)

    def tag(self, entry: bytes) -> bytes | None:
        """The tag of an entry's digest; None without a key."""
        return None if self._key is None else entry_tag(self._key, self.store, entry)

    def take(self, key: bytes | None) -> bytes | None:
        """Sign with another key from now on; the one before."""
        before, self._key = self._key, key
        return before
