"""A tree of digests over the entries of the log: its root stands for all of them, a short path for one of them.

The tree of RFC 6962: neighbours are paired level by level, one that is left over rises as it is; leaves and nodes are
hashed apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

__all__ = ["audit_path", "root_by_path", "tree_root"]


def tree_root(leaves: Iterable[bytes]) -> bytes:
    """The root over leaves in order; 32 bytes. Over nothing it is the digest of nothing."""
    level = [_leaf(leaf) for leaf in leaves]
    if not level:
        return blake2b(digest_size=32, person=b"memtree2").digest()
    while len(level) > 1:
        level = _above(level)
    return level[0]


def audit_path(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The nodes that lead from one leaf to the root, the lowest first."""
    level, path = [_leaf(leaf) for leaf in leaves], []
    while len(level) > 1:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        level, index = _above(level), index // 2
    return tuple(path)


def root_by_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a path leads to from leaf number `index` of `size`; None for a path of the wrong length."""
    if not 0 <= index < size:
        return None
    node, rest = _leaf(leaf), list(path)
    while size > 1:
        if index ^ 1 < size:
            if not rest:
                return None
            other = rest.pop(0)
            node = _node(other, node) if index & 1 else _node(node, other)
        index, size = index // 2, (size + 1) // 2
    return None if rest else node


def _above(level: list[bytes]) -> list[bytes]:
    paired = [_node(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
    return paired + level[len(paired) * 2 :]


def _leaf(data: bytes) -> bytes:
    return blake2b(b"\0" + data, digest_size=32, person=b"memtree2").digest()


def _node(left: bytes, right: bytes) -> bytes:
    return blake2b(b"\1" + left + right, digest_size=32, person=b"memtree2").digest()
