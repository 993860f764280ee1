"""Checking what a caller wants remembered, before anything happens to it."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from hashlib import blake2b, sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.clock import from_millis, last_millis, to_millis
from mnemoloom.config import LONGEST_TTL, Config, Limits
from mnemoloom.errors import MetadataError, NamespaceError, TextError, ValidationError, VectorError, told
from mnemoloom.records import Draft, Hit, Record, Tier
from mnemoloom.redaction import redact_metadata, redact_text
from mnemoloom.trust import check_trust

__all__ = [
    "CheckedDraft",
    "check_count",
    "check_draft",
    "check_flag",
    "check_label",
    "check_many",
    "check_moment",
    "check_name",
    "check_namespace",
    "check_text",
    "check_tier",
    "check_topics",
    "check_ttl",
    "is_number",
    "key_of",
    "raw_row",
    "settled",
]

_MOST_ORIGINS = 10_000
SHORTEST_VECTOR = 1e-30  # below this, its direction is rounding
_FIELDS = frozenset(field.name for field in fields(Draft))


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedDraft:
    """A draft that may be stored: times in milliseconds, metadata as canonical JSON, vector as float32 (d,).

    placed: whether the caller said where it goes, by a tier or a pin.
    """

    text: str
    pointer: bytes
    variant: bytes
    vector: NDArray[np.float32] | None
    external_id: str | None
    speaker: str | None
    session: str | None
    time: int
    metadata: str
    tier: Tier
    pinned: bool
    placed: bool
    source: str | None
    trust: str
    expires: int | None = None
    derived_from: tuple[int | str, ...] = ()


def check_draft(value: Draft | Mapping[str, Any] | str, *, config: Config, now: int) -> CheckedDraft:
    """Check a draft, a mapping with its fields, or a bare text, redacted as the settings say.

    Raises
    ------
    ValidationError: the first rule that it breaks, as TextError, MetadataError or VectorError where they fit.
    RedactionError: the hook failed.
    """
    draft, limits = _as_draft(value), config.limits
    data = check_text(draft.text, config=config, name="text").encode()
    vector = None if draft.vector is None else raw_row(draft.vector)
    if config.redact is not None and data.decode() != draft.text:
        vector = None  # it tells of the text as it was
    if not isinstance(draft.pinned, bool):
        raise ValidationError(f"pinned must be True or False; got {type(draft.pinned).__name__}")
    return CheckedDraft(
        text=data.decode(),
        pointer=sha256(data).digest(),
        variant=b"" if vector is None else blake2b(vector.tobytes(), digest_size=16).digest(),
        vector=vector,
        external_id=_label(draft.external_id, "external_id", limits),
        speaker=_label(draft.speaker, "speaker", limits),
        session=_label(draft.session, "session", limits),
        time=now if draft.time is None else check_moment(draft.time, "time"),
        metadata=_metadata(draft.metadata, config),
        tier=Tier.PERSISTENT if draft.pinned else check_tier(Tier.LONG_TERM if draft.tier is None else draft.tier),
        pinned=draft.pinned,
        placed=draft.pinned or draft.tier is not None,
        source=_label(draft.source, "source", limits),
        trust=check_trust(draft.trust),
        expires=_end(_span(draft, config), now),
        derived_from=_origins(draft.derived_from),
    )


def settled(draft: CheckedDraft, *, now: int) -> Draft:
    """The same as a draft again: with the time that it was checked at, and nothing that the caller could change."""
    return Draft(
        text=draft.text,
        speaker=draft.speaker,
        session=draft.session,
        time=from_millis(draft.time),
        metadata=json.loads(draft.metadata),
        external_id=draft.external_id,
        vector=None if draft.vector is None else draft.vector.copy(),
        source=draft.source,
        trust=draft.trust,
        tier=draft.tier if draft.placed else None,
        pinned=draft.pinned,
        derived_from=draft.derived_from,
        ttl=math.inf if draft.expires is None else max(1, draft.expires - now) / 1000,
    )


def check_text(text: object, *, config: Config, name: str) -> str:
    """`text`, redacted, if it can be stored or asked; raises TextError, RedactionError."""
    # a subclass of str may hold more than a text, and would be kept as it is
    said = _checked_bytes(text, limits=config.limits, name=name).decode()
    if config.redact is None:
        return said
    return _checked_bytes(redact_text(said, config.redact), limits=config.limits, name=name).decode()


def check_name(text: object, *, limits: Limits, name: str) -> str:
    """`text`, a name that a caller gives, if it can be stored; raises TextError."""
    return _checked_bytes(text, limits=limits, name=name).decode()


def check_count(value: object, name: str, *, low: int, high: int = (1 << 63) - 1) -> int:
    """`value` if it is a whole number between the bounds; raises ValidationError."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
        bounds = f"from {low} to {high}" if high < 1 << 62 else f"of at least {low}"
        raise ValidationError(f"{name} must be a whole number {bounds}; got {told(value)}")
    return int(value)


def key_of(key: object, rule: str = "a memory is named by") -> int | str:
    """What names a memory: its id or external id; a hit or record stands for its id. Raises ValidationError."""
    if isinstance(key, (Hit, Record)):
        return key.id
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
        return int(key)
    if isinstance(key, str):
        return key
    raise ValidationError(f"{rule} an id (int), an external id (str), a Hit or a Record; got {type(key).__name__}")


def check_many(values: object, name: str, *, of: str) -> list[Any]:
    """`values` as a list, if they are several things and not one text or mapping; raises ValidationError."""
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise ValidationError(f"{name} must be a list of {of}; got {type(values).__name__}")
    try:
        each = iter(values)
    except TypeError:  # an array without a dimension
        raise ValidationError(f"{name} must be a list of {of}; got a single value") from None
    return list(each)


def is_number(value: object) -> bool:
    """Whether it is a number, of Python or numpy, and no truth value."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def check_flag(value: object, name: str) -> bool:
    """`value` if it is True or False; raises ValidationError."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValidationError(f"{name} must be True or False; got {told(value)}")
    return bool(value)


def check_topics(value: object) -> frozenset[int]:
    """The ids of one topic or several; raises ValidationError."""
    several = isinstance(value, Collection) and not isinstance(value, (str, bytes, Mapping))
    many = check_many(value, "topic", of="ids of topics") if several else [value]
    if not many:
        raise ValidationError("topic must name at least one topic; got none")
    return frozenset(check_count(each, "topic", low=0) for each in many)


def check_namespace(namespace: object, *, limits: Limits) -> tuple[str, ...]:
    """`namespace` if it is a tuple (or list) of 1 to 16 labels; raises NamespaceError."""
    if not isinstance(namespace, (tuple, list)) or not 1 <= len(namespace) <= 16:
        raise NamespaceError(f"a namespace must be a tuple of 1 to 16 strings; got {told(namespace)}")
    labels = []
    for label in namespace:
        if not isinstance(label, str) or not label.strip():
            raise NamespaceError(f"every label of a namespace must be a non-empty string; got {told(label)}")
        if len(label) > limits.label_chars:
            raise NamespaceError(f"a namespace label must have at most {limits.label_chars} characters")
        labels.append(_encoded(label, "a namespace label", NamespaceError).decode())
    return tuple(labels)


def raw_row(vector: Any) -> NDArray[np.float32]:  # noqa: ANN401 - an untrusted argument
    """A caller's vector as a finite, non-zero float32 row (d,), not normalised; raises VectorError."""
    try:
        given = np.asarray(vector)
    except (TypeError, ValueError, OverflowError) as error:
        raise VectorError(f"a vector must be one row of numbers; got {type(vector).__name__}") from error
    if given.dtype.kind not in "iuf" or given.ndim != 1 or not given.size:
        raise VectorError(f"a vector must be one row of numbers; got {given.dtype} of shape {given.shape}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
        row = np.ascontiguousarray(given, np.float32)
    if not np.isfinite(row).all():
        raise VectorError("a vector must be finite; got NaN or infinity")
    if not math.sqrt(np.dot(row.astype(np.float64), row)) > SHORTEST_VECTOR:
        raise VectorError(f"a vector must not be all zeros, nor shorter than {SHORTEST_VECTOR}")
    return row


def check_label(label: object, name: str, *, limits: Limits) -> str:
    """`label` if it may be stored as one; raises ValidationError."""
    checked = _label(label, name, limits)
    if checked is None:
        raise ValidationError(f"{name} must be a string; got None")
    return checked


def _origins(keys: object) -> tuple[int | str, ...]:
    if isinstance(keys, (str, bytes, Mapping)) or not isinstance(keys, Iterable):
        raise ValidationError(f"derived_from must be a list of ids; got {type(keys).__name__}")
    given = tuple(key_of(key, "derived_from must hold") for key in keys)
    if len(given) > _MOST_ORIGINS:
        raise ValidationError(f"derived_from must hold at most {_MOST_ORIGINS} ids; got {len(given)}")
    return given


def _checked_bytes(text: object, *, limits: Limits, name: str) -> bytes:
    if not isinstance(text, str):
        raise TextError(f"{name} must be a string; got {type(text).__name__}")
    if not text.strip():
        raise TextError(f"{name} must not be empty or blank")
    data = _encoded(text, name, TextError)
    if len(data) > limits.text_bytes:
        raise TextError(f"{name} must have at most {limits.text_bytes} bytes of UTF-8; got {len(data)}")
    return data


def _as_draft(value: object) -> Draft:
    if isinstance(value, Draft):
        return value
    if isinstance(value, str):
        return Draft(text=value)
    if not isinstance(value, Mapping):
        raise ValidationError(f"a memory must be a Draft, a mapping or a string; got {type(value).__name__}")
    unknown = sorted(map(str, set(value) - _FIELDS))
    if unknown:
        raise ValidationError(f"a memory has no field {unknown[0]!r}; its fields are {', '.join(sorted(_FIELDS))}")
    if "text" not in value:
        raise TextError("a memory must have a text")
    return Draft(**value)


def check_ttl(ttl: object, name: str = "ttl") -> float | None:
    """A span in seconds, None for one without an end; raises ValidationError."""
    seconds = ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float, np.integer, np.floating)) or not seconds > 0:
        raise ValidationError(f"{name} must be more than 0 seconds, or a timedelta; got {told(ttl)}")
    if seconds == math.inf:
        return None
    if seconds > LONGEST_TTL:
        raise ValidationError(f"{name} must end before the year 10000; got {told(ttl)}")
    return float(seconds)


def _span(draft: Draft, config: Config) -> object:
    """The ttl of a draft: its own, or that of the settings unless it is pinned, which is for good."""
    if not draft.pinned:
        return config.ttl if draft.ttl is None else draft.ttl
    if check_ttl(draft.ttl) is not None:
        raise ValidationError("a memory is pinned for good, or has a ttl; got both")
    return None


def _end(ttl: object, now: int) -> int | None:
    """The moment (ms) at which a memory ends that is remembered now."""
    seconds = check_ttl(ttl)
    if seconds is None:
        return None
    end = now + max(1, round(seconds * 1000))
    try:
        from_millis(end)
    except (ValueError, OverflowError, OSError) as error:
        raise ValidationError(f"ttl must end before the year 10000; got {told(ttl)}") from error
    return end


def _label(label: object, name: str, limits: Limits) -> str | None:
    if label is None:
        return None
    if not isinstance(label, str):
        raise ValidationError(f"{name} must be a string or None; got {type(label).__name__}")
    if not label.strip():
        raise ValidationError(f"{name} must not be empty or blank; leave it out instead")
    if len(label) > limits.label_chars:
        raise ValidationError(f"{name} must have at most {limits.label_chars} characters; got {len(label)}")
    return _encoded(label, name, ValidationError).decode()


def _encoded(text: str, name: str, error: type[ValidationError]) -> bytes:
    if "\0" in text:
        raise error(f"{name} must not hold the NUL character; found one at {text.index(chr(0))}")
    try:
        return text.encode()
    except UnicodeEncodeError as cause:
        raise error(f"{name} must be valid Unicode; there is an unpaired surrogate at {cause.start}") from cause


def check_tier(tier: object) -> Tier:
    """The tier of that name; raises ValidationError."""
    try:
        return Tier(tier)
    except ValueError:
        known = ", ".join(member.value for member in Tier)
        raise ValidationError(f"tier must be one of {known}; got {told(tier)}") from None


def check_moment(moment: object, name: str, *, to_the_end: bool = False) -> int:
    """A time in milliseconds since 1970; of a day, month or year the first or the last one. Raises ValidationError."""
    try:
        return (last_millis if to_the_end else to_millis)(moment)  # type: ignore[arg-type]
    except (ValueError, TypeError, OverflowError, OSError) as error:
        raise ValidationError(
            f"{name} must be a datetime, an ISO 8601 string such as '2026-05-14' or '2026-05', or epoch seconds; "
            f"got {told(moment)}"
        ) from error


def _metadata(metadata: object, config: Config) -> str:
    limits = config.limits
    if not isinstance(metadata, Mapping):
        raise MetadataError(f"metadata must be a mapping; got {type(metadata).__name__}")
    if not metadata:
        return "{}"
    plain = dict(metadata)
    _walk(plain, depth=1, limits=limits)
    if config.redact is not None and config.redact_metadata:
        plain = {key: redact_metadata(value, config.redact) for key, value in plain.items()}
        _walk(plain, depth=1, limits=limits)
    written = json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    if len(written.encode()) > limits.metadata_bytes:
        raise MetadataError(f"metadata must have at most {limits.metadata_bytes} bytes of JSON")
    return written


def _walk(value: object, *, depth: int, limits: Limits) -> None:
    """Refuse what JSON cannot hold exactly."""
    if depth > limits.metadata_depth:
        raise MetadataError(f"metadata must be nested at most {limits.metadata_depth} deep")
    if isinstance(value, str):
        _encoded(value, "metadata", MetadataError)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise MetadataError(f"metadata keys must be strings; got {type(key).__name__}")
            _encoded(key, "a metadata key", MetadataError)
            _walk(inner, depth=depth + 1, limits=limits)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _walk(inner, depth=depth + 1, limits=limits)
    else:
        _check_scalar(value)


def _check_scalar(value: object) -> None:
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        raise MetadataError(f"metadata numbers must fit in 64 bits; got one of {value.bit_length()} bits")
    if isinstance(value, float) and not math.isfinite(value):
        raise MetadataError(f"metadata numbers must be finite; got {value}")
    if not isinstance(value, (int, float)):
        raise MetadataError(f"metadata must be JSON values; got {type(value).__name__}")
