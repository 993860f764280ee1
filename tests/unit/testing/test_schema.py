"""Structured output of the test server: a value that the schema allows."""

from __future__ import annotations

from datetime import date, datetime
from enum import Enum
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from mnemoloom.testing.ollama.schema import instance


class Colour(Enum):
    RED = "red"


class Leaf(BaseModel):
    day: date
    moment: datetime
    colour: Colour
    kind: Literal["leaf"]


class Tree(BaseModel):
    name: Annotated[str, Field(min_length=10, max_length=12)]
    leaves: Annotated[list[Leaf], Field(min_length=2)]
    parent: Tree | None
    weight: Annotated[float, Field(gt=1.5, le=2.5)]
    age: Annotated[int, Field(ge=3, lt=9, multiple_of=4)]
    debt: Annotated[int, Field(le=-5)]
    pair: tuple[int, str]
    alive: bool = False
    either: int | str
    children: list[Tree] = Field(default_factory=list)


@pytest.mark.parametrize("kind", [Leaf, Tree, list[Tree], int, str, bool, None, dict[str, int], Colour])
def test_the_instance_is_one_of_the_model(kind):
    adapter = TypeAdapter(kind)
    adapter.validate_python(instance(adapter.json_schema()), strict=False)


def test_the_same_schema_has_the_same_instance():
    assert instance(Tree.model_json_schema()) == instance(Tree.model_json_schema())


def test_parts_that_must_all_hold_are_put_together():
    parts = [{"properties": {"a": {"type": "integer"}}}, {"properties": {"b": {"const": 7}}, "required": ["b"]}]
    assert instance({"allOf": parts}) == {"a": 0, "b": 7}


def test_a_reference_into_the_schema_is_followed():
    assert instance({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"enum": ["x", "y"]}}}) == "x"


def test_anything_goes_where_the_schema_is_true():
    assert instance({"type": "array", "items": True}) == [None]
