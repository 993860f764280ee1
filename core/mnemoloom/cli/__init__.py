"""The command `mnemoloom`."""

from mnemoloom.cli.app import main

__all__ = ["main"]
