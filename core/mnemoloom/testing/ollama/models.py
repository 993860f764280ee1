"""The models that the test server has, and how Ollama describes a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from mnemoloom.errors import ConfigError

__all__ = ["ServedModel", "full_name"]

MODIFIED = "2026-01-01T00:00:00.000000000Z"
CAPABILITIES = frozenset({"completion", "tools", "thinking", "embedding"})
NARROWEST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A model of the test server.

    Parameters
    ----------
    name: as clients ask for it; without a tag it is that name's `:latest`.
    capabilities: of "completion" (chat and generate), "tools", "thinking" and "embedding".
    width: of its embeddings, at least 4.
    context_length: in tokens; the server counts words.
    """

    name: str
    capabilities: frozenset[str] = frozenset({"completion", "tools"})
    width: int = 64
    context_length: int = 2048

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ConfigError(f"ServedModel.name must not be blank; got {self.name!r}")
        object.__setattr__(self, "capabilities", frozenset(self.capabilities))
        if not self.capabilities or self.capabilities - CAPABILITIES:
            raise ConfigError(
                f"ServedModel.capabilities must be some of {sorted(CAPABILITIES)}; got {sorted(self.capabilities)}"
            )
        if self.width < NARROWEST or self.context_length < 1:
            raise ConfigError(
                f"ServedModel.width must be at least {NARROWEST} and context_length at least 1; "
                f"got {self.width!r} and {self.context_length!r}"
            )

    @property
    def full_name(self) -> str:
        return full_name(self.name)

    def can(self, capability: str) -> bool:
        return capability in self.capabilities

    def listed(self) -> dict[str, Any]:
        """The entry in `/api/tags`."""
        details = {**self._details(), "context_length": self.context_length, "embedding_length": self.width}
        return {
            **self._named(),
            "modified_at": MODIFIED,
            "size": 1,
            "digest": self._digest(),
            "details": details,
            "capabilities": sorted(self.capabilities),
        }

    def running(self) -> dict[str, Any]:
        """The entry in `/api/ps`."""
        return {
            **self._named(),
            "size": 1,
            "digest": self._digest(),
            "details": self._details(),
            "expires_at": MODIFIED,
            "size_vram": 0,
            "context_length": self.context_length,
        }

    def shown(self) -> dict[str, Any]:
        """The answer of `/api/show`."""
        return {
            "modelfile": f"FROM {self.full_name}\nTEMPLATE {{{{ .Prompt }}}}\n",
            "parameters": "",
            "template": "{{ .Prompt }}",
            "details": self._details(),
            "model_info": {
                "general.architecture": "llama",
                "general.parameter_count": 0,
                "llama.context_length": self.context_length,
                "llama.embedding_length": self.width,
            },
            "tensors": [],
            "capabilities": sorted(self.capabilities),
            "modified_at": MODIFIED,
        }

    def _named(self) -> Mapping[str, str]:
        return {"name": self.full_name, "model": self.full_name}

    def _digest(self) -> str:
        return sha256(self.full_name.encode()).hexdigest()

    def _details(self) -> dict[str, Any]:
        return {
            "parent_model": "",
            "format": "gguf",
            "family": "llama",
            "families": ["llama"],
            "parameter_size": "0",
            "quantization_level": "unknown",
        }


def full_name(name: str) -> str:
    """A model's name with its tag."""
    return name if ":" in name else f"{name}:latest"
