"""`recall`, `why`, `stats` and `reembed`, for people and as JSON."""

from __future__ import annotations

import pytest

from mnemoloom import Memory
from mnemoloom.cli.screen import Screen

TURNS = [
    {"text": "I moved to Oslo in May.", "speaker": "Ann", "session": "s1", "time": "2026-05-14T10:00:00+00:00"},
    {"text": "Lovely, Ann! I still live in Bergen.", "speaker": "Bob", "session": "s1", "metadata": {"city": "Bergen"}},
    {"text": "The cat sat on the mat.", "speaker": "Ann", "session": "s2", "external_id": "cat"},
]


@pytest.fixture
def filled(store):
    with Memory.open(store) as memory:
        memory.remember_many(TURNS)
    return store


def test_recall_shows_rank_score_date_speaker_text_and_parts(run, filled):
    code, out, err = run("recall", "Where is the cat?", "-k", "1")
    assert (code, err) == (0, "")
    for shown in ("1.", "Ann", "#3", "The cat sat on the mat.", "lexical +", "profile dialogue"):
        assert shown in out
    assert "\x1b" not in out


def test_recall_answers_with_the_hits_of_the_library(ask, filled):
    answer = ask("recall", "Where does Ann live?", "-k", "2")
    with Memory.open(filled, read_only=True) as memory:
        hits = memory.recall("Where does Ann live?", k=2)
    assert [(hit["id"], hit["score"], hit["parts"]) for hit in answer["hits"]] == [
        (hit.id, hit.score, dict(hit.parts)) for hit in hits
    ]
    assert [hit["rank"] for hit in answer["hits"]] == [1, 2]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--speaker", "Bob"], [2]),
        (["--speaker", "Bob", "--speaker", "Ann"], [1, 2, 3]),
        (["--session", "s2"], [3]),
        (["--where", '{"metadata.city": "Bergen"}'], [2]),
        (["--before", "2026-06-01"], [1]),
        (["--after", "2026-06-01"], [2, 3]),
        (["--tier", "cold"], []),
        (["-k", "1", "--profile", "lexical"], [1]),
    ],
)
def test_filters_narrow_what_is_recalled(ask, filled, options, found):
    assert sorted(hit["id"] for hit in ask("recall", "cat in Oslo", *options)["hits"]) == found


def test_expand_shows_the_neighbours(run, ask, filled):
    hit = ask("recall", "Oslo", "-k", "1", "--expand", "1")["hits"][0]
    assert [record["id"] for record in hit["after"]] == [2]
    assert "Bob: Lovely" in run("recall", "Oslo", "-k", "1", "--expand", "1")[1]


def test_the_asker_is_whom_i_stands_for(ask, filled):
    assert "speaker" in ask("recall", "Where do I live?", "--asker", "Bob", "-k", "1")["hits"][0]["parts"]


def test_recalling_leaves_no_trace_and_goes_on_beside_a_writer(ask, filled):
    with Memory.open(filled) as memory:
        assert ask("recall", "cat")["hits"]
        assert memory.get(3).accessed is None


def test_nothing_found_says_so(run, store):
    Memory.open(store).close()
    assert run("recall", "cat") == (0, "nothing found: this namespace is empty\n", "")


@pytest.mark.parametrize("where", ["{", "[]", '{"colour": 1}'])
def test_a_filter_that_cannot_be_read_is_refused(run, filled, where):
    code, _, err = run("recall", "cat", "--where", where)
    assert code == 2
    assert err.startswith("mnemoloom: ")


def test_what_is_remembered_cannot_move_the_cursor(run, store):
    with Memory.open(store) as memory:
        memory.remember("red \x1b[31m alert \u202e backwards \x07")
    out = run("recall", "alert")[1]
    assert not {"\x1b", "\u202e", "\x07"} & set(out)
    assert "\\x1b[31m" in out


def test_why_names_the_stage_that_lets_a_memory_go(run, ask, filled):
    lost = ask("why", "cat", "1")
    assert (lost["recalled"], lost["stages"][-1]["name"], lost["stages"][-1]["passed"]) == (False, "candidates", False)
    out = run("why", "cat", "1")[1]
    assert "#1 is not recalled" in out
    assert "- candidates" in out


def test_why_explains_a_hit_by_external_id_too(run, ask, filled):
    found = ask("why", "cat", "cat")
    assert (found["recalled"], found["memory_id"], found["rank"]) == (True, 3, 1)
    assert sum(found["parts"].values()) == pytest.approx(found["score"])
    assert "#3 is recalled" in run("why", "cat", "cat")[1]


def test_why_of_an_unknown_id_is_an_error(run, filled):
    code, _, err = run("why", "cat", "no-such-id")
    assert (code, err) == (2, "mnemoloom: no memory with id 'no-such-id' in this namespace\n")


def test_stats_count_namespace_and_store(run, ask, filled):
    found = ask("stats")
    assert (found["memories"], found["speakers"], found["namespace"]) == (3, {"Ann": 2, "Bob": 1}, ["default"])
    out = run("stats")[1]
    assert "Ann 2, Bob 1" in out
    assert "namespace default" in out


def test_reembed_encodes_what_is_waiting_and_then_nothing(run, ask, filled):
    assert ask("reembed", "--embedder", "hashing:32") == {"encoded": 3, "encoder": "hashing/32"}
    assert ask("stats")["encoder"] == "hashing/32"
    assert ask("reembed", "--embedder", "hashing:32")["encoded"] == 0
    assert "3 texts" in run("reembed", "--embedder", "hashing:64")[1]
    assert ask("recall", "cat", "--embedder", "hashing:64")["encoded"] is True


def test_reembed_needs_an_embedder(run, filled):
    code, _, err = run("reembed")
    assert (code, "--embedder" in err) == (2, True)


def test_learning_needs_an_embedder_that_shows_tokens(run, filled):
    code, _, err = run("reembed", "--learn", "--embedder", "hashing")
    assert (code, "token" in err) == (2, True)


def test_another_embedder_is_refused_until_reembed(run, filled):
    run("reembed", "--embedder", "hashing:32")
    code, _, err = run("recall", "cat", "--embedder", "hashing:64")
    assert (code, "hashing/32" in err) == (2, True)


def test_nothing_found_in_an_empty_namespace_names_the_others(run, folder):
    with Memory.open(folder, namespace=("users", "ann")) as memory:
        memory.remember("I have a cat")
    code, out, _ = run("recall", "cat")
    assert (code, out) == (0, "nothing found: this namespace is empty; this store has users/ann\n")
    assert run("recall", "dog", "--namespace", "users/ann")[1] == "nothing found among 1 memories (confidence 0.15)\n"


BUDGET = [
    {"text": "My budget for the trip is $900.", "speaker": "Ann", "time": "2026-03-01"},
    {"text": "We raised the budget for the trip to $1,200.", "speaker": "Ann", "time": "2026-04-11"},
]
HOW_MUCH = "How much is the budget for the trip?"


@pytest.fixture
def budget(folder):
    with Memory.open(folder) as memory:
        memory.remember_many(BUDGET)
    return folder


def test_recall_tells_of_confidence_and_of_what_supersedes_what(run, ask, budget):
    answer = ask("recall", HOW_MUCH)
    with Memory.open(budget, read_only=True) as memory:
        found = memory.recall(HOW_MUCH)
    assert (answer["confidence"], answer["about_someone_else"]) == (found.confidence, False)
    told = [(hit["id"], hit["supersedes"], hit["superseded_by"], hit["second_look"]) for hit in answer["hits"]]
    assert told == [(2, [1], [], False), (1, [], [2], False)]
    out = run("recall", HOW_MUCH)[1]
    for shown in ("supersedes #1", "superseded by #2", f"confidence {found.confidence:.2f}"):
        assert shown in out


def test_recall_says_that_what_fits_was_said_by_somebody_else(run, ask, folder):
    with Memory.open(folder) as memory:
        memory.remember_many(
            [{"text": "I play the violin.", "speaker": "Bob"}, {"text": "The weather is fine.", "speaker": "Ann"}]
        )
    assert ask("recall", "Does Ann play the violin?")["about_someone_else"] is True
    assert "said by somebody else" in run("recall", "Does Ann play the violin?")[1]


def test_as_of_answers_from_what_was_known_then(ask, budget):
    assert [hit["id"] for hit in ask("recall", HOW_MUCH, "--as-of", "2026-03")["hits"]] == [1]
    assert ask("recall", HOW_MUCH, "--as-of", "2026-04")["hits"][0]["id"] == 2
    assert ask("why", HOW_MUCH, "2", "--as-of", "2026-03")["stages"][-1]["name"] == "filter"


@pytest.mark.parametrize("least", ["0.99", "calibrated"])
def test_below_the_least_confidence_there_is_no_answer(run, ask, budget, least):
    assert ask("recall", HOW_MUCH, "--min-confidence", "0.1")["hits"]
    answer = ask("recall", "Who plays golf?", "--min-confidence", least)
    assert (answer["hits"], 0 < answer["confidence"] < 0.32) == ([], True)
    out = run("recall", "Who plays golf?", "--min-confidence", least)[1]
    assert f"(confidence {answer['confidence']:.2f}, --min-confidence {least})" in out


def test_a_second_look_is_marked(run, ask, folder):
    with Memory.open(folder) as memory:
        memory.remember("The plumber comes on Thursday.", tier="cold")
        memory.remember("The cat sat on the mat.")
    options = ("When does the plumber come?", "--min-confidence", "0.3")
    assert [hit["second_look"] for hit in ask("recall", *options)["hits"]] == [True]
    assert "found by a second look" in run("recall", *options)[1]


def test_the_bar_of_the_best_hit_is_as_long_as_the_result_is_confident(run, ask, filled):
    screen = Screen(width=80, styled=False, unicode=True)
    for query in ("Where did Ann move in May?", "Is there a cat in China?"):
        answer = ask("recall", query, "-k", "1")
        assert f"{answer['hits'][0]['score']:.3f}  {screen.bar(answer['confidence'])}  " in run("recall", query)[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--after", "yesterday"], "--after must be a time in ISO 8601"),
        (["--before", "2026-13"], "--before must be a time"),
        (["--as-of", "then"], "--as-of must be a time"),
        (["--min-confidence", "high"], "--min-confidence must be a number from 0 to 1, or calibrated; got 'high'"),
        (["--min-confidence", "nan"], "--min-confidence must be"),
        (["--min-confidence", "1.5"], "--min-confidence must be"),
    ],
)
@pytest.mark.parametrize("command", [["recall", "cat"], ["why", "cat", "1"]])
def test_what_an_option_cannot_take_is_refused_by_its_name(run, filled, command, options, said):
    code, _, err = run(*command, *options)
    assert (code, said in err) == (2, True)


def test_vectors_that_are_not_used_are_told_of_once(run, filled):
    run("reembed", "--embedder", "hashing:32")
    told = "mnemoloom: this store holds vectors of hashing/32, which are not used without --embedder\n"
    assert run("recall", "cat")[2] == run("recall", "cat", "--json")[2] == run("why", "cat", "3")[2] == told
    assert run("recall", "cat", "--embedder", "hashing:32")[2] == ""
    assert run("recall", "cat", "--profile", "lexical")[2] == ""


def test_an_embedder_that_is_not_the_stores_is_refused_in_the_words_of_the_command_line(run, filled):
    run("reembed", "--embedder", "hashing:32")
    _, _, err = run("recall", "cat", "--embedder", "hashing:64")
    assert f"mnemoloom reembed --store {filled} --embedder hashing:64" in err
    assert "reembed=True" not in err


@pytest.mark.parametrize("command", [["remember", "x"], ["forget", "1"], ["reembed", "--embedder", "hashing"]])
def test_a_store_that_is_being_written_is_told_of_in_the_words_of_the_command_line(run, filled, command):
    with Memory.open(filled):
        code, _, err = run(*command)
    assert (code, "is being written by another process" in err, "read_only" in err) == (2, True, False)


def test_why_tells_of_confidence(run, ask, filled):
    assert f"confidence {ask('why', 'cat', '3')['confidence']:.2f}" in run("why", "cat", "3")[1]
