"""What a folder with a model is called: by its name, or by its contents where the name says nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from mnemoloom.errors import EmbedderError

__all__ = ["folder_identity"]

# names that many models share, and what hubs and trainers call the states of one
_SAYS_NOTHING = re.compile(
    r"(?:(?:final|best)[-_])?models?|snapshots?|outputs?|final|best|latest|main"
    r"|(?:checkpoints?[-_]?)?[0-9]*|[0-9a-f][0-9a-f-]{11,}",
    re.IGNORECASE,
)
_MODULE = re.compile(r"[0-9]+(?:_.*)?")  # as sentence-transformers calls the folders of a model's parts
_COUNTS = (
    *("config.json", "*_config.json", "modules.json", "tokenizer.json", "vocab.txt"),
    *("*.safetensors", "pytorch_model*.bin"),
)
_CHUNK = 1 << 20


def folder_identity(folder: Path) -> str:
    """The folder's own name, or "model-" and a digest of settings and weights for one such as "model" or a hash.

    Copies of a model have the same digest wherever they lie. Raises EmbedderError if a file cannot be read.
    """
    name = folder.resolve().name
    return f"model-{_digest(folder)}" if _SAYS_NOTHING.fullmatch(name) else name


def _digest(folder: Path) -> str:
    found = blake2b(digest_size=8)
    try:
        for path in sorted(_files(folder)):
            found.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
            with open(path, "rb") as file:
                while data := file.read(_CHUNK):
                    found.update(data)
    except OSError as error:
        raise EmbedderError(f"the model in {folder} cannot be read: {error.strerror or error}") from error
    return found.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    parts = [path for path in folder.iterdir() if path.is_dir() and _MODULE.fullmatch(path.name)]
    for place in (folder, *parts):
        yield from (path for path in place.iterdir() if path.is_file() and any(map(path.match, _COUNTS)))
