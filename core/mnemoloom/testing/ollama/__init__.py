"""An Ollama server without a language model: its protocol over real HTTP, with answers that the test writes."""

from __future__ import annotations

from mnemoloom.testing.ollama.answers import Answer, Request
from mnemoloom.testing.ollama.models import ServedModel
from mnemoloom.testing.ollama.replies import Reply, ToolCall
from mnemoloom.testing.ollama.server import Exchange, OllamaServer

__all__ = ["Answer", "Exchange", "OllamaServer", "Reply", "Request", "ServedModel", "ToolCall"]
