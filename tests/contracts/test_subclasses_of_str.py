"""Texts that are more than a str: numpy's, an enum's, a framework's. They are remembered as the text they hold."""

from __future__ import annotations

from enum import Enum

import numpy as np
import pytest

from mnemoloom import Memory


class Callable(str):
    """As LangChain's messages give their text."""

    def __call__(self) -> str:
        return str(self)


class Kind(str, Enum):
    TEA = "tea"
    TOOL = "tool"


@pytest.mark.parametrize(
    ("text", "trust"),
    [
        (np.str_("tea"), np.str_("tool")),
        (Callable("tea"), Callable("tool")),
        (Kind.TEA, Kind.TOOL),
    ],
    ids=lambda text: type(text).__name__,
)
def test_a_subclass_of_str_is_remembered_and_asked_as_its_text(memory, folder, text, trust):
    memory.at(text).remember(text, speaker=text, session=text, source=text, trust=trust, external_id=text)
    [hit] = memory.at("tea").recall(text, asker=text, speaker=text, session=text, min_trust=trust)
    record = hit.record
    told = (record.text, record.speaker, record.session, record.source, record.trust, record.external_id)
    assert told == ("tea", "tea", "tea", "tea", "tool", "tea")
    assert {type(each) for each in told} == {str}
    memory.at(text).forget(text)
    assert memory.verify().ok
    memory.close()
    with Memory.open(folder, read_only=True) as again:
        assert again.namespaces() == [("tea",)]
