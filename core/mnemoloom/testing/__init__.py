"""What helps to test programs that use mnemoloom; needs nothing beyond mnemoloom itself."""

from __future__ import annotations

from mnemoloom.testing import faults
from mnemoloom.testing.ollama import Answer, Exchange, OllamaServer, Reply, Request, ServedModel, ToolCall

__all__ = ["Answer", "Exchange", "OllamaServer", "Reply", "Request", "ServedModel", "ToolCall", "faults"]
