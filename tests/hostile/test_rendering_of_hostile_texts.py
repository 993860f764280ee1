"""Whatever was remembered, a model is shown it as data: 0 break-outs of a corpus, by a judge that knows no renderer."""

from __future__ import annotations

import json

import pytest

from hostile.texts import HOSTILE, judge
from mnemoloom import Draft, Memory
from mnemoloom.cli.prompting import prompt
from mnemoloom.rendering import fenced, fenced_text, fitting

NAIVE = {
    "plain": lambda texts: "\n".join(["[begin memories-0123456789abcdef]", *texts, "[end memories-0123456789abcdef]"]),
    "JSON alone": lambda texts: "\n".join(
        ["[begin memories-0123456789abcdef]"]
        + [json.dumps({"text": text}, ensure_ascii=False) for text in texts]
        + ["[end memories-0123456789abcdef]"]
    ),
    "ASCII": lambda texts: "\n".join(
        ["[begin memories-0123456789abcdef]"]
        + [json.dumps({"text": text}) for text in texts]
        + ["[end memories-0123456789abcdef]"]
    ),
}


def test_the_corpus_is_large_enough() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 200


@pytest.mark.parametrize("render", NAIVE.values(), ids=NAIVE)
def test_the_judge_sees_through_what_is_done_carelessly(render: object) -> None:
    caught = 0
    for text in HOSTILE:
        try:
            judge(render([text]))  # type: ignore[operator]
        except (AssertionError, ValueError, KeyError):
            caught += 1
    assert caught >= 40


@pytest.fixture(scope="module")
def remembered() -> Memory:
    with Memory.open(":memory:") as memory:
        memory.remember_many([Draft(text=text, trust="web", source="web/eve") for text in HOSTILE])
        yield memory


def test_every_text_comes_back_equal_from_within_its_fence(remembered: Memory) -> None:
    for text, record in zip(HOSTILE, remembered.records(), strict=True):
        assert judge(f"Rules.\n{fenced([record])}\n\nWhat did I say?") == [text]
        assert judge(f"Rules.\n{fenced_text(text)}\n\nWhat did I say?") == [text]
    assert judge(fenced(remembered.records())) == HOSTILE


def test_what_is_recalled_of_all_of_them_breaks_out_nowhere(remembered: Memory) -> None:
    found = remembered.recall("zqx", k=1000)
    assert len(found) == len(HOSTILE)
    assert sorted(judge(fenced(fitting(found)))) == sorted(HOSTILE)


def test_speakers_are_data_too() -> None:
    with Memory.open(":memory:") as memory:
        texts = [f"{n} zqx{n}" for n in range(len(HOSTILE))]
        memory.remember_many([Draft(text=text, speaker=name) for text, name in zip(texts, HOSTILE, strict=True)])
        assert judge(fenced(memory.records()), texts=texts) == texts


def test_the_prompt_of_the_command_lines_chat_holds_them_in_a_message_of_the_user(remembered: Memory) -> None:
    *before, last = prompt("What did I say?", remembered.records())
    assert judge(last["content"]) == HOSTILE
    assert last["role"] == "user"
    assert not any("zqx" in message["content"] for message in before)
