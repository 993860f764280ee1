"""`python -m mnemoloom` is the command `mnemoloom`."""

from __future__ import annotations

from mnemoloom.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
