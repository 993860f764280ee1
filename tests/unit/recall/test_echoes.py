"""A question that was remembered does not stand before the fact that it asks for."""

from __future__ import annotations

import pytest

from mnemoloom import Config, Memory, WeightedProfile
from mnemoloom.recall.echoes import is_question
from unit.recall.word_embedder import WordEmbedder

ASKED = "What is my locker code?"
FACT = "My locker code is 4711."


@pytest.mark.parametrize("text", ["Where?", "Where do I live?", "Really??  ", "何時ですか？"])
def test_one_question_and_nothing_else_is_a_question(text: str) -> None:
    assert is_question(text)


@pytest.mark.parametrize(
    "text", ["", "?", "I moved. Where to?", "I live in Oslo.", "Who? Me.", "Wow! Who?", "a" * 400 + "?", "Ann: who?"]
)
def test_a_text_that_says_something_besides_is_none(text: str) -> None:
    assert not is_question(text)


@pytest.fixture(params=[None, WordEmbedder()], ids=["plain", "encoded"])
def asked_often(request: pytest.FixtureRequest) -> Memory:
    """A fact, and the same question asked for it in five chats, never answered."""
    memory = Memory.open(":memory:", embedder=request.param)
    memory.remember_many([{"text": FACT, "speaker": "user", "session": "0"}, {"text": "I play the cello."}])
    for chat in range(1, 6):
        memory.remember(ASKED, speaker="user", session=str(chat))
        memory.remember("I am not sure.", speaker="assistant", session=str(chat))
    return memory


@pytest.mark.parametrize("profile", ["assistant", "dialogue"])
@pytest.mark.parametrize("question", [ASKED, "Please, what is my locker code?", "What was the locker code?"])
def test_the_fact_stands_before_the_questions_for_it(asked_often: Memory, profile: str, question: str) -> None:
    with asked_often as memory:
        hits = memory.recall(question, 12, profile=profile)
        assert hits[0].text == FACT
        repeated = [hit for hit in hits if hit.text == ASKED]
        assert len(repeated) == 5  # last, but not hidden
        assert all(hit.parts["echo"] == -2.0 and hit.score < hits[0].score for hit in repeated)


def test_asking_again_makes_memory_no_surer(asked_often: Memory) -> None:
    with asked_often as memory:
        before = memory.recall("Which violin does Bo play?").confidence
        for _ in range(4):
            memory.remember("Which violin does Bo play?", speaker="user", session="9")
        assert memory.recall("Which violin does Bo play?").confidence <= before + 0.05


def test_a_longer_question_that_tells_something_is_evidence() -> None:
    with Memory.open(":memory:") as memory:
        told = memory.remember("Can you help me plan a trip to Lisbon for $900 in May?", speaker="user")
        memory.remember("Sure.", speaker="assistant")
        hit = memory.recall("What does my trip to Lisbon cost?")[0]
        assert hit.id == told
        assert hit.parts.get("echo", 0.0) == 0.0


def test_a_weight_of_zero_ranks_questions_as_everything_else() -> None:
    profile = WeightedProfile(echo=0.0, surprise=0.0)
    with Memory.open(":memory:", config=Config(profile=profile)) as memory:
        memory.remember_many([{"text": FACT, "speaker": "Ann"}, {"text": ASKED, "speaker": "Ann"}])
        assert "echo" not in memory.recall(ASKED)[0].parts


def test_the_questions_of_a_faq_are_found_as_documents() -> None:
    with Memory.open(":memory:") as memory:
        memory.remember_many(["What is your return policy?", "Our shop opens at nine."])
        assert memory.recall("What is your return policy?")[0].text == "What is your return policy?"
