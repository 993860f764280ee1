"""Everything mnemoloom raises on purpose, as one tree.

LoomError
├── ValidationError (ValueError)        a caller's argument breaks a rule
│   ├── TextError                       empty, too long or not storable text
│   ├── MetadataError                   not JSON, too deep or too large
│   ├── NamespaceError                  not a tuple of non-empty strings
│   ├── FilterError                     unknown field, operator or operand
│   ├── VectorError                     NaN, infinite or zero vector
│   │   └── DimensionMismatchError      not the width of the store
│   ├── ConfigError                     a setting outside its bounds
│   └── ImportFormatError               an import bundle that cannot be trusted
├── UnknownMemoryError (KeyError)       no memory with this id in this namespace
├── RedactionError (RuntimeError)       the hook that redacts failed; nothing was stored
├── IngestError (RuntimeError)           drafts that were put into a queue could not be stored
├── UnknownSleepError (KeyError)        no sleep with this id in this namespace
├── ScopeError (LookupError)            a run does not say, or says in two ways, whose memories it may use
├── StoreError                          the folder or the database
│   ├── StoreLockedError (TimeoutError) another writer has the folder
│   ├── StoreClosedError (ValueError)   used after close()
│   ├── ReadOnlyError (PermissionError) a write through a read-only handle
│   ├── ForkedStoreError (RuntimeError) used in a child process after fork
│   ├── NotAStoreError (FileNotFoundError)  the path holds no store
│   ├── FormatError (ValueError)        written by a newer or unknown format
│   ├── ChainKeyError (PermissionError)  the log is kept under another key, or one that was not given
│   ├── EncryptionKeyError (PermissionError)  encrypted under another key, or one that was not given; or not encrypted
│   ├── CorruptionError (ValueError)    damaged truth, named by file or record
│   └── StorageFailure (OSError)        the disk refused: full, read-only, failing
├── EmbedderError (RuntimeError)        the encoder failed
│   ├── EmbedderMismatchError (ValueError)  not the encoder that the store was written with
│   ├── EmbedderUnavailableError (ConnectionError)  no server, or the connection broke
│   │   └── CircuitOpenError            it failed so often that it is left alone for a while
│   ├── EmbedderTimeoutError (TimeoutError)         no answer within the deadline
│   └── EmbedderAnswerError (ValueError)            wrong count, width or values
├── ChatModelError (RuntimeError)       a chat model failed
│   ├── ChatModelUnavailableError (ConnectionError)
│   └── ChatModelTimeoutError (TimeoutError)
└── MissingExtraError (ImportError)     an optional library is not installed

Each also inherits the builtin that a caller would already catch.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnemoloom.records import Draft

__all__ = [
    "ChainKeyError",
    "ChatModelError",
    "ChatModelTimeoutError",
    "ChatModelUnavailableError",
    "CircuitOpenError",
    "ConfigError",
    "CorruptionError",
    "DimensionMismatchError",
    "EmbedderAnswerError",
    "EmbedderError",
    "EmbedderMismatchError",
    "EmbedderTimeoutError",
    "EmbedderUnavailableError",
    "EncryptionKeyError",
    "FilterError",
    "ForkedStoreError",
    "FormatError",
    "ImportFormatError",
    "IngestError",
    "LoomError",
    "MetadataError",
    "MissingExtraError",
    "NamespaceError",
    "NotAStoreError",
    "ReadOnlyError",
    "RedactionError",
    "ScopeError",
    "StorageFailure",
    "StoreClosedError",
    "StoreError",
    "StoreLockedError",
    "TextError",
    "UnknownMemoryError",
    "UnknownSleepError",
    "ValidationError",
    "VectorError",
    "require",
    "told",
]


_LABEL = 40  # characters of a wrong argument that a message may show


class LoomError(Exception):
    """Root of everything this library raises on purpose."""


class ValidationError(LoomError, ValueError):
    """A caller's argument breaks a rule; nothing was changed."""


class TextError(ValidationError):
    """A text is empty, too long, or holds characters that cannot be stored."""


class MetadataError(ValidationError):
    """Metadata is not a JSON object, or is too deep or too large."""


class NamespaceError(ValidationError):
    """A namespace is not a tuple of non-empty strings."""


class FilterError(ValidationError):
    """A filter names an unknown field or operator, or its operand has the wrong type."""


class VectorError(ValidationError):
    """A vector holds NaN or infinity, is all zeros, or is not one row of numbers."""


class DimensionMismatchError(VectorError):
    """A vector does not have the width of the store."""

    def __init__(self, *, expected: int, got: int) -> None:
        super().__init__(f"vectors in this store have width {expected}; got {got}")
        self.expected, self.got = expected, got


class ConfigError(ValidationError):
    """A setting is outside its bounds."""


class ImportFormatError(ValidationError):
    """An import bundle is malformed, truncated, or does not match its digests."""


class UnknownMemoryError(LoomError, KeyError):
    """No memory with this id exists in this namespace."""

    def __init__(self, memory_id: object) -> None:
        super().__init__(f"no memory with id {told(memory_id)} in this namespace")
        self.memory_id = memory_id

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return str(self.args[0])


class RedactionError(LoomError, RuntimeError):
    """The hook that redacts raised, or returned no text; nothing was stored, asked or encoded."""


class IngestError(LoomError, RuntimeError):
    """Drafts of an ingest queue could not be stored; they wait in the queue.

    waiting: all of them, in order; the first is the one that failed, or the first of a batch that did. The error
    itself is the `__cause__`.
    """

    def __init__(self, waiting: Sequence[Draft], *, reason: BaseException) -> None:
        said = str(reason) if isinstance(reason, LoomError) else type(reason).__name__
        super().__init__(f"the first of {len(waiting)} drafts that wait in the queue could not be stored: {said}")
        self.waiting = tuple(waiting)

    @property
    def draft(self) -> Draft:
        """The first that is not stored."""
        return self.waiting[0]


class UnknownSleepError(LoomError, KeyError):
    """No sleep with this id was applied to this namespace."""

    def __init__(self, sleep: object) -> None:
        super().__init__(f"no sleep with id {told(sleep)} was applied to this namespace")
        self.sleep = sleep

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return str(self.args[0])


class ScopeError(LoomError, LookupError):
    """A run does not say whose memories it may use, or names two users; there is no default one."""


class StoreError(LoomError):
    """The store's folder or database cannot do what was asked."""


class StoreLockedError(StoreError, TimeoutError):
    """Another process, or another handle of this one, writes to the store."""


class StoreClosedError(StoreError, ValueError):
    """The memory was used after close()."""


class ReadOnlyError(StoreError, PermissionError):
    """A write was tried through a handle opened with read_only=True."""


class ForkedStoreError(StoreError, RuntimeError):
    """A handle opened before fork() was used in the child process."""


class NotAStoreError(StoreError, FileNotFoundError):
    """The path holds no mnemoloom store, or something else lives there."""


class FormatError(StoreError, ValueError):
    """The store has a format that cannot be used as it is: a newer one, or an older one opened only for reading."""


class ChainKeyError(StoreError, PermissionError):
    """The store's log is kept under another key than the one given, or under one that was not given."""


class EncryptionKeyError(StoreError, PermissionError):
    """The store is encrypted under another key, or under one that was not given; or it is not encrypted at all."""


class CorruptionError(StoreError, ValueError):
    """The truth on disk is damaged; the message names the file or record."""


class StorageFailure(StoreError, OSError):  # noqa: N818 - StorageError beside StoreError would be misread
    """The disk refused a read or write: full, read-only or failing."""


class EmbedderError(LoomError, RuntimeError):
    """The encoder failed; nothing was stored."""


class EmbedderMismatchError(EmbedderError, ValueError):
    """The encoder is not the one whose vectors the store holds."""

    def __init__(self, *, stored: str, offered: str, message: str | None = None) -> None:
        super().__init__(
            message
            or f"this store holds vectors of {stored!r}, but the embedder offered is {offered!r}; "
            "open it with the same embedder, or with reembed=True to encode every memory again"
        )
        self.stored, self.offered = stored, offered


class EmbedderUnavailableError(EmbedderError, ConnectionError):
    """The encoder's server cannot be reached, or the connection broke."""


class CircuitOpenError(EmbedderUnavailableError):
    """The encoder failed so often that it is not asked for a while; `seconds` says for how long."""

    def __init__(self, message: str, *, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class EmbedderTimeoutError(EmbedderError, TimeoutError):
    """The encoder gave no answer within its deadline."""


class EmbedderAnswerError(EmbedderError, ValueError):
    """The encoder answered with the wrong count, width or values."""


class ChatModelError(LoomError, RuntimeError):
    """A chat model failed."""


class ChatModelUnavailableError(ChatModelError, ConnectionError):
    """The chat model's server cannot be reached, or the connection broke."""


class ChatModelTimeoutError(ChatModelError, TimeoutError):
    """The chat model gave no answer within its deadline."""


class MissingExtraError(LoomError, ImportError):
    """An optional library is not installed."""


def told(value: object) -> str:
    """A wrong argument, for a message: numbers, None and short labels as they are; of all else the kind alone."""
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, str) and len(value) > _LABEL:
        return f"a string of {len(value)} characters"
    return repr(value) if value is None or isinstance(value, (str, Real)) else type(value).__name__


def require(module: str, *, extra: str) -> None:
    """Raise MissingExtraError, naming the pip command, unless `module` can be imported."""
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise MissingExtraError(f"{module} is not installed; run: pip install 'mnemoloom[{extra}]'")
