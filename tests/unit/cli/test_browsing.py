"""`topics`, `related` and `--topic`, for people and as JSON."""

from __future__ import annotations

import pytest

from mnemoloom import Memory, Tier
from mnemoloom.embedders import HashingEmbedder

TEXTS = ["The boat leaks.", "The boat is in the harbour.", "The boat was painted.", "A cake for Otto."]


@pytest.fixture
def filled(store):
    with Memory.open(store, embedder=HashingEmbedder(64)) as memory:
        for day, text in enumerate(TEXTS, 1):
            memory.remember(text, speaker="Ann", time=f"2026-03-0{day}", external_id=f"own-{day}")
        memory.move(3, Tier.COLD)
    return store


def test_topics_are_shown_largest_first(run, ask, filled):
    answer = ask("topics")
    assert [topic["count"] for topic in answer["topics"]] == [3, 1]
    boats, cake = answer["topics"]
    assert "boat" in boats["keywords"]
    assert (boats["cold"], boats["first"][:10], boats["last"][:10]) == (1, "2026-03-01", "2026-03-03")
    assert cake["representative"]["text"] == TEXTS[3]
    assert (answer["statistics"]["categories"], answer["unsorted"]) == (2, 0)
    out = run("topics")[1]
    assert "3 memories, 1 cold  2026-03-01 to 2026-03-03" in out
    assert "A cake for Otto." in out


def test_only_the_largest_topics_on_request(run, ask, filled):
    assert len(ask("topics", "-k", "1")["topics"]) == 1
    assert "1 smaller topics are left out" in run("topics", "-k", "1")[1]
    assert run("topics", "-k", "-1")[0] == 2


def test_a_store_without_vectors_has_no_topics(run, store):
    with Memory.open(store) as memory:
        memory.remember("No vector.")
    code, _, err = run("topics")
    assert (code, "reembed" in err) == (2, True)
    assert run("topics", "--namespace", "other")[1] == "no memory is here\n"


def test_topics_of_no_store_make_none(run, store, tmp_path):
    code, _, err = run("topics")
    assert (code, "holds no store" in err) == (2, True)
    assert not list(tmp_path.iterdir())


def test_recall_and_why_take_a_topic(run, ask, filled):
    topics = {topic["representative"]["text"]: topic["id"] for topic in ask("topics")["topics"]}
    cake = str(topics[TEXTS[3]])
    options = ("--embedder", "hashing:64", "--topic", cake)
    assert [hit["id"] for hit in ask("recall", "boat", *options)["hits"]] == [4]
    assert ask("why", "boat", "1", *options)["stages"][-1]["name"] == "topic"


def test_related_memories_are_shown_with_their_path(run, ask, filled):
    [first, *_] = ask("related", "own-1", "-k", "2")["related"]
    assert (first["id"], first["path"], first["kinds"]) == (2, [1, 2], ["similar"])
    assert "#1 similar #2" in run("related", "1")[1]
    assert run("related", "99")[0] == 2


def test_a_memory_without_links_says_so(run, store):
    with Memory.open(store) as memory:
        memory.remember("Alone.")
    assert run("related", "1")[1] == "no other memory is linked to it\n"


@pytest.mark.parametrize("word", ["9" * 30, "9" * 5000])
def test_a_number_that_no_memory_can_have_is_an_unknown_memory(run, filled, word):
    for command in (("related", word), ("history", word), ("forget", word)):
        code, _, err = run(*command)
        assert (code, "no memory" in err, "Traceback" in err) == (2, True, False), command
