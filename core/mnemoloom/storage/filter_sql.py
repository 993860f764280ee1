"""A filter as SQL over the columns of the memories table.

The text is put together from constant fragments only: every operand and every metadata key is a bound
parameter. Operands go in as one JSON array, so that SQLite's JSON reader types them, and rounds their
floats, exactly as it does the stored values. Each condition is 0 or 1 and never NULL, so NOT is safe.

Metadata is walked key by key with json_each, not with a JSON path: a path cannot spell every key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final, TypeAlias

from ..filters import And, Compare, Filter, Not, Op, Or

__all__ = ["Parameter", "compile_filter"]

Parameter: TypeAlias = str | int | None

# SQLite bounds the height of an expression (1000), so long chains are cut into groups
_GROUP = 32

_COLUMNS: Final[Mapping[str, str]] = {
    "id": "id",
    "external_id": "external_id",
    "speaker": "speaker",
    "session": "session",
    "time": "time",
    "created": "created",
    "tier": "tier",
    "pinned": "pinned",
    "source": "source",
    "trust": "trust",
    "expires": "expires",
}
_ORDER: Final[Mapping[Op, str]] = {Op.GT: " > ", Op.GTE: " >= ", Op.LT: " < ", Op.LTE: " <= "}

# A value as (JSON type, atom): integers and reals are one type, and the atom is never NULL. Containers get
# a type that no operand has.
_LEAF = "CASE leaf.type WHEN 'integer' THEN 'real' ELSE leaf.type END, ifnull(leaf.atom, 0)"
_ITEM = "CASE item.type WHEN 'integer' THEN 'real' ELSE item.type END, ifnull(item.atom, 0)"
_OPERANDS = "SELECT CASE type WHEN 'integer' THEN 'real' ELSE type END, ifnull(atom, 0) FROM json_each(?)"
# json_each(NULL) has no rows, and json_each of text that is not JSON is an error: hence the CASE
_ITEMS = "json_each(CASE leaf.type WHEN 'array' THEN leaf.value END) AS item"

_PRESENT = "leaf.type <> 'null'"
_IS_ONE = " ".join(("(", _LEAF, ") IN (", _OPERANDS, ")"))
_HAS_ONE = " ".join(("EXISTS (SELECT 1 FROM", _ITEMS, "WHERE (", _ITEM, ") IN (", _OPERANDS, "))"))
_HAS_ALL = " ".join(
    ("leaf.type = 'array' AND NOT EXISTS (", _OPERANDS, "EXCEPT SELECT", _ITEM, "FROM", _ITEMS, ")"),
)
_HAS_TEXT = "leaf.type = 'text' AND instr(leaf.atom, ?) > 0"
_IS_NUMBER, _IS_TEXT = "leaf.type IN ('integer', 'real')", "leaf.type = 'text'"
_ATOMS = "(SELECT atom FROM json_each(?))"


def compile_filter(condition: Filter) -> tuple[str, list[Parameter]]:
    """Give a boolean SQL expression over the columns of `memories`, and its parameters in order.

    It selects the records that `filters.matches` matches. Put it in parentheses.
    """
    parameters: list[Parameter] = []
    return _rendered(condition, parameters), parameters


def _rendered(condition: Filter, parameters: list[Parameter]) -> str:
    if isinstance(condition, Not):
        return "".join(("NOT (", _rendered(condition.part, parameters), ")"))
    if isinstance(condition, (And, Or)):
        # the deepest first: SQLite's parser then needs least of its stack
        parts = sorted(condition.parts, key=lambda part: part.depth, reverse=True)
        texts = ["".join(("(", _rendered(part, parameters), ")")) for part in parts]
        return _chained(texts, " AND " if isinstance(condition, And) else " OR ")
    if condition.field[0] == "metadata":
        return _in_metadata(condition, parameters)
    return _in_column(condition, parameters)


def _chained(texts: list[str], word: str) -> str:
    while len(texts) > _GROUP:
        groups = (texts[start : start + _GROUP] for start in range(0, len(texts), _GROUP))
        texts = ["".join(("(", word.join(group), ")")) for group in groups]
    return word.join(texts)


def _in_column(condition: Compare, parameters: list[Parameter]) -> str:
    column, op, value = _COLUMNS[condition.field[0]], condition.op, condition.value
    if op is Op.EXISTS:
        return " ".join((column, "IS NOT NULL" if value else "IS NULL"))
    if op in (Op.IN, Op.NIN, Op.ANY):
        # pinned is a column of 0 and 1
        given = [int(each) if isinstance(each, bool) else each for each in value if each is not None]
        parameters.append(_as_json(given))
        held = " ".join(("(", column, "IS NOT NULL AND", column, "IN", _ATOMS, ")"))
        text = " ".join(("(", held, "OR", column, "IS NULL )")) if None in value else held
        return " ".join(("NOT", text)) if op is Op.NIN else text
    parameters.append(value)
    if op is Op.CONTAINS:
        return " ".join(("ifnull(instr(", column, ", ?) > 0, 0)"))
    if op in _ORDER:
        return "".join((column, " IS NOT NULL AND ", column, _ORDER[op], "?"))
    return " ".join((column, "IS ?" if op is Op.EQ else "IS NOT ?"))


def _in_metadata(condition: Compare, parameters: list[Parameter]) -> str:
    op, value = condition.op, condition.value
    if op is Op.NE:
        return " ".join(("NOT", _in_metadata(Compare(condition.field, Op.EQ, value), parameters)))
    if op is Op.NIN:
        return " ".join(("NOT", _in_metadata(Compare(condition.field, Op.IN, value), parameters)))
    keys = condition.field[1:]
    if op is Op.EXISTS:
        found = _leaf(keys, _PRESENT, (), parameters)
        return found if value else " ".join(("NOT", found))
    test, operands = _leaf_test(condition)
    found = _leaf(keys, test, operands, parameters)
    if op in (Op.EQ, Op.IN, Op.ANY) and None in (value if isinstance(value, tuple) else (value,)):
        return " ".join(("(", found, "OR NOT", _leaf(keys, _PRESENT, (), parameters), ")"))
    return found


def _leaf(keys: tuple[str, ...], test: str, operands: Iterable[Parameter], parameters: list[Parameter]) -> str:
    """Say that the metadata has a value at `keys`, for which `test` holds."""
    names = [*("".join(("step", str(place))) for place in range(1, len(keys))), "leaf"]
    tables = ["".join(("json_each(metadata) AS ", names[0]))]
    for outer, inner in pairwise(names):
        tables.append(
            "".join(("json_each(CASE ", outer, ".type WHEN 'object' THEN ", outer, ".value END) AS ", inner)),
        )
    wanted = ["".join((name, ".key = ?")) for name in names]
    parameters.extend((*keys, *operands))
    return "".join(
        ("EXISTS (SELECT 1 FROM ", " CROSS JOIN ".join(tables), " WHERE ", " AND ".join((*wanted, test)), ")"),
    )


def _leaf_test(condition: Compare) -> tuple[str, tuple[Parameter, ...]]:
    """Give the test of one stored value, and its parameters in order."""
    op, value = condition.op, condition.value
    operands = _as_json(value if isinstance(value, tuple) else (value,))
    if op in _ORDER:
        is_kind = _IS_TEXT if isinstance(value, str) else _IS_NUMBER
        return "".join((is_kind, " AND leaf.atom", _ORDER[op], _ATOMS)), (operands,)
    if op is Op.ALL:
        return _HAS_ALL, (operands,)
    if op is Op.ANY:
        return " ".join(("(", _IS_ONE, "OR", _HAS_ONE, ")")), (operands, operands)
    if op is Op.CONTAINS and isinstance(value, str):
        return " ".join(("(", _HAS_TEXT, "OR", _HAS_ONE, ")")), (value, operands)
    return (_HAS_ONE if op is Op.CONTAINS else _IS_ONE), (operands,)


def _as_json(values: Iterable[str | float | bool | None]) -> str:
    return json.dumps(list(values), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
