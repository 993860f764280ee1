"""Small stores and questions that meet every rule of recall, for Hypothesis."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import strategies as st

from mnemoloom import Config, Draft, Embedder, ManualClock, Memory
from unit.recall.word_embedder import RowEmbedder, WordEmbedder

NOW = datetime(2024, 6, 1, tzinfo=timezone.utc)
WORDS = "dog cat garden tomato violin Oslo Paris train hiking the and paint painting sister birthday cake 2023".split()  # noqa: SIM905
QUERIES = [
    "Where does Ann walk the dog?",
    "What did Ann and Otto paint?",
    "the latest garden tomato",
    "the first violin cake",
    "What happened in May 2023?",
    "birthday on 7 May",
    "my sister",
    "Did you recommend hiking in Oslo?",
    "train to Paris in 2022",
    "xyzzy",
    "zzz Ann",
]


# The formulas are compared as they stand; the update rule, which reorders their ten best, has tests of its own.
FORMULA = Config(update_rule=None)


def open_with(drafts: list[Draft], embedder: Embedder | None, config: Config = FORMULA) -> Memory:
    memory = Memory.open(":memory:", embedder=embedder, clock=ManualClock(NOW), config=config)
    memory.remember_many(drafts)
    return memory


@st.composite
def conversations(draw: st.DrawFn, *, speakers: tuple[str | None, ...], least: int = 1) -> list[Draft]:
    count = draw(st.integers(least, 14))
    drafts = []
    for _ in range(count):
        words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=7))
        drafts.append(
            Draft(
                text=" ".join(words),
                speaker=draw(st.sampled_from(speakers)),
                session=draw(st.sampled_from(["one", "two", None])),
                time=NOW - timedelta(days=draw(st.integers(0, 800)), seconds=draw(st.integers(0, 5))),
            )
        )
    return drafts


PEOPLE: tuple[str | None, ...] = ("Ann", "Otto")
ROLES: tuple[str | None, ...] = ("user", "assistant")
ENCODERS = st.sampled_from([None, RowEmbedder(), WordEmbedder()])
