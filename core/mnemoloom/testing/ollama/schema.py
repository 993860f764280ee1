"""A value that a JSON Schema allows, always the same one; what structured output needs to be tested.

Known are the keywords that pydantic writes: type, properties, items, prefixItems, enum, const, default, anyOf, oneOf,
allOf, $ref, and the bounds of lengths and numbers. `pattern` and `format` are not looked at, except for dates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["instance"]

_DEEPEST = 6  # a schema may refer to itself
_TEXTS = {"date": "2026-01-01", "date-time": "2026-01-01T00:00:00Z", "time": "00:00:00Z"}

Schema = Mapping[str, Any]


def instance(schema: Schema) -> Any:  # noqa: ANN401 - whatever JSON holds
    """A value that `schema` allows, with every property while it is not nested too deep."""
    return _value(schema, schema, 0)


def _value(schema: Schema | bool, root: Schema, depth: int) -> Any:  # noqa: ANN401
    if isinstance(schema, bool):
        return None
    schema = _resolved(schema, root)
    for keyword in ("const", "default"):
        if keyword in schema:
            return schema[keyword]
    if "enum" in schema:
        return schema["enum"][0]
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            # deep inside, the choice that ends the nesting
            choices = [_resolved(choice, root) for choice in schema[keyword]]
            ends = [choice for choice in choices if choice.get("type") == "null"]
            return _value(ends[0] if ends and depth >= _DEEPEST else choices[0], root, depth)
    return _typed(schema, root, depth)


def _resolved(schema: Schema, root: Schema) -> Schema:
    """The schema with its references and `allOf` put in."""
    merged: dict[str, Any] = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
    if "$ref" in schema:
        target: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/") if schema["$ref"] != "#" else ():
            target = target[step.replace("~1", "/").replace("~0", "~")]
        merged = {**_resolved(target, root), **merged}
    for part in schema.get("allOf", ()):
        resolved = _resolved(part, root)
        properties = {**merged.get("properties", {}), **resolved.get("properties", {})}
        required = [*merged.get("required", ()), *resolved.get("required", ())]
        merged = {**merged, **resolved, "properties": properties, "required": required}
    return merged


def _typed(schema: Schema, root: Schema, depth: int) -> Any:  # noqa: ANN401
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = "null" if "null" in kind and depth >= _DEEPEST else kind[0]
    if kind == "object":
        required = schema.get("required", ())
        members = schema.get("properties", {}).items()
        return {name: _value(each, root, depth + 1) for name, each in members if depth < _DEEPEST or name in required}
    if kind == "array":
        return _array(schema, root, depth)
    if kind in ("integer", "number"):
        return _number(schema, whole=kind == "integer")
    if kind == "string":
        return _text(schema)
    return {"boolean": True, "null": None}[kind]


def _array(schema: Schema, root: Schema, depth: int) -> list[Any]:
    first = [_value(each, root, depth + 1) for each in schema.get("prefixItems", ())]
    fewest = schema.get("minItems", 0 if depth >= _DEEPEST else 1)
    count = min(max(fewest - len(first), 0), schema.get("maxItems", math.inf))
    return first + [_value(schema.get("items", {}), root, depth + 1) for _ in range(int(count))]


def _text(schema: Schema) -> str:
    text = _TEXTS.get(schema.get("format", ""), "text")
    return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]


def _number(schema: Schema, *, whole: bool) -> float:
    step = schema.get("multipleOf", 1 if whole else 0.5)
    low = schema.get("minimum", -math.inf)
    if "exclusiveMinimum" in schema:
        low = max(low, schema["exclusiveMinimum"] + step)
    high = schema.get("maximum", math.inf)
    if "exclusiveMaximum" in schema:
        high = min(high, schema["exclusiveMaximum"] - step)
    if low <= 0 <= high:
        return 0
    edge = math.ceil(low / step) * step if low > 0 else math.floor(high / step) * step
    return int(edge) if whole else float(edge)
