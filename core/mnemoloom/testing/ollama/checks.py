"""What Ollama checks in a request before it does anything: options, format, durations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mnemoloom.testing.ollama.answers import Refusal

__all__ = ["check_format", "check_options", "unloads"]

_INTEGERS = frozenset(
    {"mirostat", "num_batch", "num_ctx", "num_gpu", "num_keep", "num_predict", "num_thread", "repeat_last_n", "seed"}
    | {"top_k"}
)
_NUMBERS = frozenset(
    {"frequency_penalty", "min_p", "mirostat_eta", "mirostat_tau", "presence_penalty", "repeat_penalty"}
    | {"temperature", "tfs_z", "top_p", "typical_p"}
)
_DURATION = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))+|[+-]?0")


def check_options(options: Mapping[str, Any] | None) -> None:
    """Raise Refusal for a sampling option of the wrong type; null counts as not given."""
    for name, value in (options or {}).items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is None:
            continue
        if name in _INTEGERS and not number:
            raise Refusal(500, f'option "{name}" must be of type integer')
        if name in _NUMBERS and not number:
            raise Refusal(500, f'option "{name}" must be of type float32')
        if name == "stop" and not isinstance(value, list):
            raise Refusal(500, 'option "stop" must be of type array')


def check_format(wanted: object) -> None:
    """Raise Refusal unless the answer may have any form, that of JSON, or that of a schema."""
    if wanted in (None, "", "json") or isinstance(wanted, dict):
        return
    quoted = f'"{wanted}"' if isinstance(wanted, str) else str(wanted)
    escaped = quoted.replace('"', '\\"')
    raise Refusal(500, f'invalid format: "{escaped}"; expected "json" or a valid JSON Schema object')


def unloads(keep_alive: object) -> bool:
    """Whether a model is to be unloaded at once. Raises Refusal for what is no duration."""
    if isinstance(keep_alive, str):
        if not _DURATION.fullmatch(keep_alive):
            raise Refusal(400, f'time: invalid duration "{keep_alive}"')
        return not re.search(r"[1-9]", keep_alive)
    return keep_alive == 0 and keep_alive is not False
