"""A LangGraph store on a memory folder: `MnemoloomStore`, and an escape for labels with dots."""

from .labels import escape_label, unescape_label
from .mnemoloom_store import MnemoloomStore

__all__ = ["MnemoloomStore", "escape_label", "unescape_label"]
