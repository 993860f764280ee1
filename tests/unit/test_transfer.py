"""Bundles: what goes out comes back identical, and nothing about a bundle is trusted."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnemoloom import Config, Draft, ManualClock, Memory, Tier, TokenVectors
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import (
    DimensionMismatchError,
    EmbedderMismatchError,
    ImportFormatError,
    ReadOnlyError,
    StoreClosedError,
    UnknownMemoryError,
    ValidationError,
)
from mnemoloom.redaction import Redactor
from mnemoloom.transfer import export_bundle, import_bundle

FILES = ("manifest.json", "memories.jsonl", "vectors.f32", "tokens.i8", "links.jsonl")
WIDTH = 16
NARROW = Config(token_width=8)


class TinyTokens:
    """A real embedder with token vectors: words are hashed."""

    identity = "tiny-tokens"

    def __init__(self) -> None:
        self._words = HashingEmbedder(WIDTH)

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Any:
        return self._words.embed(texts)

    def embed_tokens(self, texts: Sequence[str], *, query: bool = False) -> Any:
        words = [tuple(word for word in text.lower().split() if word.isalnum()) for text in texts]
        rows = [self._words.embed(each) if each else np.zeros((0, WIDTH), np.float32) for each in words]
        return self.embed(texts), list(map(TokenVectors, words, rows))


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def answers(memory: Memory, queries: Sequence[str]) -> list[Any]:
    """Texts, scores and parts; ids belong to a store."""
    return [
        [(hit.text, hit.score, dict(hit.parts)) for hit in memory.recall(query, k=20, update=False)]
        for query in queries
    ]


def digest(data: bytes) -> str:
    return blake2b(data, digest_size=32).hexdigest()


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    change(manifest)
    path.write_text(json.dumps(manifest), "utf-8")


def reseal(folder: Path) -> None:
    """Make digests and counts of a changed bundle right again, as an attacker would."""

    def change(manifest: dict[str, Any]) -> None:
        lines = (folder / "memories.jsonl").read_bytes()
        manifest["memories"] = lines.count(b"\n")
        manifest["memories_file"]["blake2b"] = digest(lines)
        links = (folder / "links.jsonl").read_bytes()
        manifest["links"], manifest["links_file"]["blake2b"] = links.count(b"\n"), digest(links)
        for name, file in (("vectors", "vectors.f32"), ("tokens", "tokens.i8")):
            manifest[name]["blake2b"] = digest((folder / file).read_bytes())

    change_manifest(folder, change)


def change_line(folder: Path, number: int, **changes: Any) -> None:
    path = folder / "memories.jsonl"
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    lines[number - 1] |= changes
    path.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    reseal(folder)


def refused(folder: Path, match: str, **options: Any) -> None:
    """The bundle is refused, and the store is as it was."""
    with Memory.open(":memory:") as memory:
        memory.remember("Here before.")
        with pytest.raises(ImportFormatError, match=match):
            import_bundle(memory, folder, **options)
        assert [record.text for record in memory.records()] == ["Here before."]
        assert memory.stats().encoder is None
        assert memory.verify().ok


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Three memories, two of them with equal texts, with vectors and tokens."""
    with Memory.open(":memory:", embedder=TinyTokens(), config=NARROW, clock=ManualClock(1e9)) as memory:
        memory.remember("I moved to Oslo", speaker="Ann", session="s1", metadata={"city": "Oslo"})
        memory.remember("yes", speaker="Bob", session="s1", external_id="b")
        memory.remember("yes", speaker="Ann", session="s1", ttl=1e9)
        memory._live.note_superseded([(3, 1)])
        export_bundle(memory, tmp_path / "bundle")
    return tmp_path / "bundle"


# -- there and back -----------------------------------------------------------------------------------

LABELS = st.none() | st.sampled_from(["Ann", "Bob", "user", "assistant", "Zoë 🐝", "a/b"])
TEXTS = st.sampled_from(["yes", "I moved to Oslo in May", "The cat sat on the mat", "Ann likes tea"]) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40
).filter(str.strip)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
TIMES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(timezone.utc))
DRAFTS = st.builds(
    Draft,
    text=TEXTS,
    speaker=LABELS,
    session=LABELS,
    time=TIMES,
    metadata=st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4), JSON, max_size=3
    ),
    external_id=st.none() | st.sampled_from("abcd"),
    vector=st.none() | st.lists(st.integers(1, 9), min_size=WIDTH, max_size=WIDTH),
    source=LABELS,
    trust=st.sampled_from(["user", "tool"]),
    tier=st.sampled_from(Tier),
    pinned=st.booleans(),
    ttl=st.none() | st.integers(2 * 10**9, 3 * 10**9),
).filter(lambda draft: not (draft.pinned and draft.ttl))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    drafts=st.lists(DRAFTS, max_size=12),
    embedder=st.sampled_from([None, HashingEmbedder(WIDTH), TinyTokens()]),
    forgotten=st.sets(st.integers(0, 11)),
)
def test_a_round_trip_gives_the_same_bytes_and_the_same_scores(drafts, embedder, forgotten):
    queries = ["Where did Ann move?", "yes", "cat tea"]
    with tempfile.TemporaryDirectory() as place:
        first, second = Path(place) / "first", Path(place) / "second"
        with Memory.open(":memory:", embedder=embedder, config=NARROW, clock=ManualClock(1e9)) as memory:
            for draft in drafts:
                memory.remember_many([draft])
            for number, record in enumerate(list(memory.records())):
                if number in forgotten:
                    memory.forget(record.id)
                elif number % 2:
                    memory.recall(record.text[:100], k=1)
            expected = answers(memory, queries)
            report = export_bundle(memory, first)
            assert report.memories == len(memory)
            assert report.bytes == sum(map(len, content(first).values()))
        with Memory.open(":memory:", embedder=embedder, config=NARROW, clock=ManualClock(2e9)) as other:
            assert import_bundle(other, first).added == report.memories
            assert other.verify().ok
            export_bundle(other, second)
            assert answers(other, queries) == expected
        assert content(first) == content(second)


def test_a_learned_projection_travels_along(tmp_path):
    texts = [f"the bee number {n} flew to flower {n * 7} and back" for n in range(40)]
    with Memory.open(":memory:", embedder=TinyTokens(), config=NARROW) as memory:
        memory.remember_many([{"text": text, "speaker": "Ann"} for text in texts])
        memory.reembed(learn=True)
        expected = answers(memory, ["bee 7", "flower 49"])
        export_bundle(memory, tmp_path / "first")
    with Memory.open(":memory:", embedder=TinyTokens(), config=NARROW) as other:
        import_bundle(other, tmp_path / "first")
        assert answers(other, ["bee 7", "flower 49"]) == expected
        export_bundle(other, tmp_path / "second")
    assert content(tmp_path / "first") == content(tmp_path / "second")
    assert (tmp_path / "first" / "projection.f32").stat().st_size == 9 * WIDTH * 4
    with Memory.open(":memory:", embedder=TinyTokens(), config=NARROW) as seeded:
        seeded.remember("a bee", speaker="Ann")
        with pytest.raises(EmbedderMismatchError, match="another projection"):
            import_bundle(seeded, tmp_path / "first")


def test_token_codes_of_another_width_are_refused(bundle):
    with Memory.open(":memory:", embedder=TinyTokens(), config=Config(token_width=16)) as memory:
        memory.remember("a memory with codes of width 16")
        with pytest.raises(EmbedderMismatchError, match="of width 8"):
            import_bundle(memory, bundle)
        assert len(memory) == 1
        memory.remember("after all")


def test_a_store_without_codes_takes_over_the_width_of_the_bundle(bundle):
    with Memory.open(":memory:", embedder=TinyTokens(), config=Config(token_width=16)) as memory:
        import_bundle(memory, bundle)
        memory.remember("after all")
        assert memory.recall("after all")[0].text == "after all"


def test_an_embedder_whose_tokens_are_narrower_than_the_codes_still_makes_a_round_trip(tmp_path):
    with Memory.open(":memory:", embedder=TinyTokens()) as memory:  # 16 dimensions; Config.token_width is 64
        memory.remember("moved to Oslo")
        export_bundle(memory, tmp_path / "first")
    with Memory.open(":memory:", embedder=TinyTokens()) as other:
        import_bundle(other, tmp_path / "first")
        assert other.recall("Oslo")[0].text == "moved to Oslo"


def test_equal_texts_share_one_row(bundle):
    manifest = json.loads((bundle / "manifest.json").read_text())
    lines = [json.loads(line) for line in (bundle / "memories.jsonl").read_text("utf-8").splitlines()]
    assert manifest["vectors"]["shape"] == [2, WIDTH]
    assert [line["vector"] for line in lines] == [0, 1, 1]
    assert lines[1]["tokens"] == lines[2]["tokens"]


def test_every_file_is_plain_and_described(bundle):
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert sorted(path.name for path in bundle.iterdir()) == sorted(FILES)
    assert manifest["format"] == "mnemoloom-bundle/2"
    assert (manifest["memories"], manifest["encoder"], manifest["width"]) == (3, "tiny-tokens", WIDTH)
    rows = np.frombuffer((bundle / "vectors.f32").read_bytes(), "<f4").reshape(manifest["vectors"]["shape"])
    np.testing.assert_array_equal(rows[0], TinyTokens().embed(["I moved to Oslo"])[0])


def test_the_time_of_access_is_exported_before_it_was_written_down(tmp_path):
    with Memory.open(":memory:", clock=ManualClock(1e9)) as memory:
        memory.remember("bees")
        memory.recall("bees")
        export_bundle(memory, tmp_path / "bundle")
    with Memory.open(":memory:") as other:
        import_bundle(other, tmp_path / "bundle")
        assert next(other.records()).accessed == datetime.fromtimestamp(1e9, timezone.utc)


def test_an_empty_namespace_is_a_bundle_too(tmp_path):
    with Memory.open(":memory:") as memory:
        assert export_bundle(memory, tmp_path / "bundle").memories == 0
        assert import_bundle(memory, tmp_path / "bundle").added == 0


def test_only_the_namespace_is_exported(tmp_path):
    with Memory.open(":memory:", namespace=("ann",)) as memory:
        memory.remember("mine")
        memory.at("bob").remember("not mine")
        assert export_bundle(memory, tmp_path / "bundle").memories == 1


def test_an_import_comes_after_what_is_there(bundle):
    with Memory.open(":memory:") as memory:
        memory.remember("Here before.", speaker="Ann", session="s1")
        assert len(memory.recall("Oslo")) == 0
        report = import_bundle(memory, bundle)
        assert (report.added, report.vectors, report.encoder) == (3, 2, "tiny-tokens")
        assert [record.text for record in memory.records()] == ["Here before.", "I moved to Oslo", "yes", "yes"]
        assert memory.recall("Oslo")[0].text == "I moved to Oslo"
        memory.remember("And after.")
        assert memory.verify().ok


def test_texts_that_had_no_vector_take_those_of_the_bundle(bundle):
    with Memory.open(":memory:") as memory:
        memory.remember("yes", speaker="Cid")
        import_bundle(memory, bundle)
        assert memory.stats().encoded == 4
        assert memory.verify().ok


def test_an_import_into_a_folder_outlives_the_handle(bundle, tmp_path):
    with Memory.open(tmp_path / "store") as memory:
        import_bundle(memory, bundle)
    with Memory.open(tmp_path / "store", read_only=True, embedder=TinyTokens(), config=NARROW) as memory:
        assert memory.recall("Oslo")[0].text == "I moved to Oslo"
        export_bundle(memory, tmp_path / "again")
    assert content(bundle) == content(tmp_path / "again")


def test_progress_counts_up_to_the_total(tmp_path):
    moves: list[tuple[int, int]] = []
    with Memory.open(":memory:") as memory:
        memory.remember_many([f"Event {n}." for n in range(600)])
        export_bundle(memory, tmp_path / "bundle", progress=lambda *move: moves.append(move))
        assert moves == [(256, 600), (512, 600), (600, 600)]
        moves.clear()
        import_bundle(memory.at("other"), tmp_path / "bundle", progress=lambda *move: moves.append(move))
    assert moves == [(256, 600), (512, 600), (600, 600)]


def test_large_memories_are_stored_in_small_batches(tmp_path):
    moves: list[int] = []
    with Memory.open(":memory:") as memory:
        memory.remember_many([f"{n} " + "word " * 150_000 for n in range(20)])
        export_bundle(memory, tmp_path / "bundle")
        import_bundle(memory.at("other"), tmp_path / "bundle", progress=lambda done, _: moves.append(done))
    assert moves == [12, 20]


# -- exporting safely ---------------------------------------------------------------------------------


def test_an_export_sees_one_moment(tmp_path):
    with Memory.open(tmp_path / "store") as memory:
        memory.remember_many([f"Event {n}." for n in range(600)])
        report = export_bundle(memory, tmp_path / "bundle", progress=lambda *_: memory.remember("meanwhile"))
        assert (report.memories, len(memory)) == (600, 603)


def test_what_is_there_is_not_written_over(bundle):
    with Memory.open(":memory:") as memory:
        before = content(bundle)
        with pytest.raises(ValidationError, match="empty folder"):
            export_bundle(memory, bundle)
        with pytest.raises(ValidationError, match="empty folder"):
            export_bundle(memory, bundle / "manifest.json")
        assert content(bundle) == before


def test_an_empty_folder_may_be_exported_to(tmp_path):
    (tmp_path / "bundle").mkdir()
    with Memory.open(":memory:") as memory:
        export_bundle(memory, tmp_path / "bundle")
    assert (tmp_path / "bundle" / "manifest.json").exists()


def test_an_export_that_fails_leaves_nothing_behind(tmp_path):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with Memory.open(tmp_path / "store") as memory:
        memory.remember("bees")
        with pytest.raises(KeyboardInterrupt):
            export_bundle(memory, tmp_path / "bundle", progress=stop)
        assert [path.name for path in tmp_path.iterdir()] == ["store"]
        memory.remember("still works")


def test_a_closed_or_read_only_store_is_refused(bundle, tmp_path):
    memory = Memory.open(tmp_path / "store")
    memory.close()
    with pytest.raises(StoreClosedError):
        export_bundle(memory, tmp_path / "other")
    with pytest.raises(StoreClosedError):
        import_bundle(memory, bundle)
    with Memory.open(tmp_path / "store", read_only=True) as reader, pytest.raises(ReadOnlyError):
        import_bundle(reader, bundle)


# -- what meets in the store --------------------------------------------------------------------------


def test_known_external_ids_are_refused_skipped_or_replaced(bundle):
    with Memory.open(":memory:") as memory:
        kept = memory.remember("kept", external_id="b")
        with pytest.raises(ImportFormatError, match="line 2: this namespace has a memory with external_id 'b'"):
            import_bundle(memory, bundle)
        assert [record.id for record in memory.records()] == [kept]
        report = import_bundle(memory, bundle, existing="skip")
        assert (report.added, report.skipped, report.replaced) == (2, 1, 0)
        assert memory.get("b").text == "kept"
        report = import_bundle(memory, bundle, existing="replace")
        assert (report.added, report.skipped, report.replaced) == (3, 0, 3)
        assert memory.get("b").text == "yes"
        with pytest.raises(UnknownMemoryError):
            memory.get(kept)
        assert memory.verify().ok


TWINS = [
    {"text": "yes", "speaker": "Ann", "session": "s1", "time": 1e9},
    {"text": "yes", "speaker": "Ann", "session": "s1", "time": 1e9},  # said twice
    {"text": "yes", "speaker": "Ann", "session": "s1", "time": 1e9 + 1},
    {"text": "yes", "speaker": "Ann", "session": "s2", "time": 1e9},
    {"text": "yes", "speaker": "Bob", "session": "s1", "time": 1e9},
    {"text": "yes", "time": 1e9},
    {"text": "yes", "time": 1e9, "external_id": "own"},
]


@pytest.mark.parametrize("existing", ["skip", "replace"])
def test_a_second_import_of_the_same_bundle_doubles_nothing(tmp_path, existing):
    with Memory.open(":memory:") as memory:
        memory.remember_many(TWINS * 100 if existing == "skip" else TWINS)  # several batches
        export_bundle(memory, tmp_path / "bundle")
        other = memory.at("other")
        first = import_bundle(other, tmp_path / "bundle", existing=existing)
        assert (first.added, first.skipped, first.replaced) == (len(memory), 0, 0)
        second = import_bundle(other, tmp_path / "bundle", existing=existing)
        kept = (0, len(memory), 0) if existing == "skip" else (len(memory), 0, len(memory))
        assert (second.added, second.skipped, second.replaced) == kept
        export_bundle(other, tmp_path / "again")
        assert memory.verify().ok
    assert content(tmp_path / "bundle") == content(tmp_path / "again")


@pytest.mark.parametrize("left_out", range(len(TWINS)))
def test_an_import_that_skips_brings_back_what_is_missing_and_nothing_else(tmp_path, left_out):
    with Memory.open(":memory:") as memory:
        memory.remember_many(TWINS)
        export_bundle(memory, tmp_path / "bundle")
        memory.forget(left_out + 1)
        report = import_bundle(memory, tmp_path / "bundle", existing="skip")
        assert (report.added, report.skipped) == (1, len(TWINS) - 1)
        assert (len(memory), next(reversed(list(memory.records()))).time.timestamp()) == (
            len(TWINS),
            TWINS[left_out]["time"],
        )


def test_an_unknown_way_to_treat_known_ids_is_refused(bundle):
    with Memory.open(":memory:") as memory, pytest.raises(ValidationError, match="existing must be"):
        import_bundle(memory, bundle, existing="merge")


def test_a_failing_import_stores_nothing_even_after_several_batches(tmp_path):
    with Memory.open(":memory:") as memory:
        memory.remember_many([{"text": f"Event {n}.", "external_id": str(n)} for n in range(600)])
        export_bundle(memory, tmp_path / "bundle")
    change_line(tmp_path / "bundle", 599, text=" ")
    refused(tmp_path / "bundle", "memories.jsonl line 599: text must not be empty")


def test_vectors_of_another_encoder_are_refused(bundle):
    with Memory.open(":memory:", embedder=HashingEmbedder(WIDTH)) as memory:
        with pytest.raises(EmbedderMismatchError, match="tiny-tokens") as raised:
            import_bundle(memory, bundle)  # nothing is stored yet, but this handle would write other vectors
        assert (raised.value.stored, raised.value.offered) == ("hashing/16", "tiny-tokens")
        memory.remember("x")
        with pytest.raises(EmbedderMismatchError):
            import_bundle(memory, bundle)
        assert len(memory) == 1


def test_vectors_of_another_width_are_refused(tmp_path):
    with Memory.open(":memory:") as memory:
        memory.remember("x", vector=[1, 2, 3])
        export_bundle(memory, tmp_path / "bundle")
    with Memory.open(":memory:") as memory:
        memory.remember("y", vector=[1, 2])
        with pytest.raises(DimensionMismatchError):
            import_bundle(memory, tmp_path / "bundle")


def test_a_store_without_vectors_takes_over_what_they_are(bundle):
    with Memory.open(":memory:") as memory:
        import_bundle(memory, bundle)
        assert (memory.stats().encoder, memory.stats().width) == ("tiny-tokens", WIDTH)


def test_a_bundle_without_vectors_goes_into_any_store(tmp_path):
    with Memory.open(":memory:") as memory:
        memory.remember("bees")
        export_bundle(memory, tmp_path / "bundle")
    with Memory.open(":memory:", embedder=HashingEmbedder(WIDTH)) as memory:
        import_bundle(memory, tmp_path / "bundle")
        assert memory.stats().waiting == 1
        assert memory.reembed() == 1


# -- what cannot be trusted ---------------------------------------------------------------------------


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(FILES), place=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255))
def test_a_flipped_byte_is_refused_or_means_the_same(bundle, name, place, mask):
    path = bundle / name
    whole = path.read_bytes()
    broken = bytearray(whole)
    broken[int(place * len(whole))] ^= mask
    path.write_bytes(broken)
    try:
        with Memory.open(":memory:") as memory:
            try:
                import_bundle(memory, bundle)
            except (ImportFormatError, ValidationError):
                assert len(memory) == 0
            else:  # white space, or the name of the encoder: the manifest has no digest of its own
                assert name == "manifest.json"
                assert [record.text for record in memory.records()] == ["I moved to Oslo", "yes", "yes"]
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("keep", [0, 0.5, 0.99])
def test_a_truncated_file_is_refused(bundle, name, keep):
    whole = (bundle / name).read_bytes()
    (bundle / name).write_bytes(whole[: int(keep * len(whole))])
    refused(bundle, name)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(bundle, name):
    (bundle / name).unlink()
    refused(bundle, f"{name} is missing")


@pytest.mark.parametrize("name", FILES)
def test_a_symbolic_link_is_refused(bundle, name):
    (bundle / name).rename(bundle.parent / name)
    (bundle / name).symlink_to(bundle.parent / name)
    refused(bundle, f"{name} must be a file, and no symbolic link")


@pytest.mark.parametrize("name", FILES)
def test_a_named_pipe_is_refused_without_waiting_for_it(bundle, name):
    (bundle / name).unlink()
    getattr(os, "mkfifo", os.mkdir)(bundle / name)  # where there are no named pipes, a folder
    refused(bundle, f"{name} must be a file, and no device")


def test_a_link_to_a_bundle_or_a_file_is_no_bundle(bundle, tmp_path):
    (tmp_path / "link").symlink_to(bundle)
    refused(tmp_path / "link", "must be a folder")
    refused(bundle / "manifest.json", "must be a folder")
    refused(tmp_path / "nowhere", "must be a folder")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "mnemoloom-bundle/3"}, "format must be 'mnemoloom-bundle/2' or 'mnemoloom-bundle/1'"),
        ({"format": "mnemoloom-bundle/1"}, "unknown field 'links'"),
        ({"links": 7}, "must have 7 lines; got 1"),
        ({"links": None}, "links must be a whole number"),
        ({"links_file": {"file": "x", "blake2b": "0" * 64}}, "must be called 'links.jsonl'"),
        ({"format": None}, "format must be"),
        ({"surplus": 1}, "unknown field 'surplus'"),
        ({"memories": -1}, "memories must be a whole number"),
        ({"memories": 2}, "must have 2 lines; got 3"),
        ({"memories": 4}, "must have 4 lines; got 3"),
        ({"memories": 10**400}, "must have"),
        ({"memories": True}, "memories must be a whole number"),
        ({"width": 8}, "the shape of vectors.f32"),
        ({"width": 0}, "width must be"),
        ({"width": 10**12}, "width must be"),
        ({"width": None}, "the shape of vectors.f32"),
        ({"encoder": 7}, "encoder must be"),
        ({"encoder": ""}, "encoder must be"),
        ({"encoder": "\ud800"}, "encoder must be"),
        ({"encoder": "caller"}, "encoder must not be 'caller'"),
        ({"encoder": None}, "encoder must be one of"),
        ({"vectors": None}, "vectors.f32 must be an object"),
        ({"tokens": []}, "tokens.i8 must be an object"),
        ({"memories_file": {"file": "../../etc/passwd", "blake2b": "0" * 64}}, "must be called 'memories.jsonl'"),
        ({"projection": {"file": "projection.f32", "dtype": "float32", "shape": [2, 10**12], "blake2b": ""}}, "shape"),
        (
            {"projection": {"file": "projection.f32", "dtype": "float32", "shape": [2, 2], "blake2b": "0" * 64}},
            "missing",
        ),
    ],
)
def test_a_manifest_that_breaks_a_rule_is_refused(bundle, change, said):
    change_manifest(bundle, lambda manifest: manifest.update(change))
    refused(bundle, said)


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("vectors", {"shape": [10**12, WIDTH]}, "vectors.f32 must have 64000000000000 bytes"),
        ("vectors", {"shape": [10**12, 10**12]}, "the shape of vectors.f32"),
        ("vectors", {"shape": [1, WIDTH]}, "vectors.f32 must have 64 bytes"),
        ("vectors", {"shape": [2.0, WIDTH]}, "whole number"),
        ("vectors", {"shape": 2}, "must be 2 numbers"),
        ("vectors", {"dtype": "float64"}, "dtype"),
        ("vectors", {"file": "/etc/passwd"}, "must be called 'vectors.f32'"),
        ("vectors", {"blake2b": "00"}, "64 hex digits"),
        ("vectors", {"blake2b": "0" * 64}, "does not match its digest"),
        ("vectors", {"surplus": 1}, "unknown field"),
        ("tokens", {"shape": [10**15, 8]}, "tokens.i8 must have"),
        ("tokens", {"shape": [10**15, 0]}, "the shape of tokens.i8"),
        ("tokens", {"shape": [1, 10**15]}, "the shape of tokens.i8"),
        ("tokens", {"shape": [40]}, "must be 2 numbers"),
    ],
)
def test_a_declared_shape_must_be_that_of_the_file(bundle, part, change, said):
    change_manifest(bundle, lambda manifest: manifest[part].update(change))
    refused(bundle, said)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'"' + b"x" * (1 << 20) + b'"'])
def test_a_manifest_that_is_no_object_is_refused(bundle, data):
    (bundle / "manifest.json").write_bytes(data)
    refused(bundle, "manifest.json")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_vector_that_is_not_finite_is_refused(bundle, value):
    rows = np.frombuffer((bundle / "vectors.f32").read_bytes(), "<f4").copy()
    rows[WIDTH + 3] = value
    (bundle / "vectors.f32").write_bytes(rows.tobytes())
    reseal(bundle)
    refused(bundle, "vectors.f32 row 1 must be finite")


def test_a_huge_sparse_file_of_zeros_is_refused_at_its_first_row(bundle):
    os.truncate(bundle / "vectors.f32", 0)
    os.truncate(bundle / "vectors.f32", 4 * WIDTH * 10**9)
    change_manifest(bundle, lambda manifest: manifest["vectors"].update(shape=[10**9, WIDTH]))
    refused(bundle, "vectors.f32 row 0 must be finite and not all zeros")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"text": ""}, "text must not be empty"),
        ({"text": "a\0b"}, "NUL"),
        ({"text": "\ud800"}, "surrogate"),
        ({"text": 7}, "text must be a string"),
        ({"speaker": 7}, "speaker must be a string"),
        ({"session": " "}, "session must not be empty"),
        ({"external_id": 7}, "external_id must be a string"),
        ({"external_id": "b"}, "is there twice"),
        ({"metadata": []}, "metadata must be a mapping"),
        ({"metadata": {"n": float("nan")}}, "finite"),
        ({"metadata": {"n": 2**63}}, "64 bits"),
        ({"tier": "attic"}, "tier must be one of"),
        ({"tier": {}}, "tier must be one of"),
        ({"pinned": 1}, "pinned must be True or False"),
        ({"trust": None}, "trust must be a string"),
        ({"surprise": -1.0}, "surprise must be"),
        ({"surprise": float("inf")}, "surprise must be"),
        ({"surprise": "1"}, "surprise must be"),
        ({"time": "yesterday"}, "time must be written as"),
        ({"time": "2026-05-14T00:00:00.000Z"}, "time must be written as"),
        ({"time": 7}, "time must be written as"),
        ({"time": None}, "must not be null"),
        ({"created": None}, "must not be null"),
        ({"accessed": "never"}, "accessed must be written as"),
        ({"vector": 2}, "vector must be a row"),
        ({"vector": -1}, "vector must be a row"),
        ({"vector": True}, "vector must be a row"),
        ({"vector": 10**30}, "vector must be a row"),
        ({"vector": 0}, "vector 0 belongs to another text"),
        ({"vector": None}, "vector must be a row"),
        ({"vector": None, "tokens": None}, "encoder must be one of"),
        ({"tokens": [0, 1]}, "belongs to another text"),
        ({"tokens": [0, -1]}, "tokens must be"),
        ({"tokens": "all"}, "tokens must be"),
        ({"encoder": "other"}, "encoder must be one of"),
        ({"encoder": "caller"}, "variant must be the digest"),
        ({"variant": "zz"}, "variant must be null or 32 hex digits"),
        ({"variant": "A" * 32}, "variant must be null or 32 hex digits"),
        ({"surplus": 1}, "unknown field 'surplus'"),
    ],
)
def test_a_line_that_breaks_a_rule_is_named(bundle, changes, said):
    change_line(bundle, 3, **changes)
    refused(bundle, f"memories.jsonl line 3.*{said}")


def test_rows_and_codes_that_belong_to_no_memory_are_refused(bundle):
    lines = (bundle / "memories.jsonl").read_bytes().splitlines(keepends=True)
    (bundle / "memories.jsonl").write_bytes(lines[0])
    reseal(bundle)
    refused(bundle, "vectors.f32 row 1 belongs to no memory")


def test_codes_can_be_given_to_one_text_only(bundle):
    change_line(bundle, 2, tokens=[0, 1])
    refused(bundle, "line 2: tokens must be the next rows, from 4")


@pytest.mark.parametrize("count", [6, 10**6, 10**30])
def test_codes_beyond_the_file_are_refused(bundle, count):
    change_line(bundle, 1, tokens=[0, count])
    refused(bundle, "line 1: tokens must be the next rows")


def test_the_codes_of_one_text_are_bounded(bundle):
    rows = (64 << 20) // 8 + 1
    os.truncate(bundle / "tokens.i8", rows * 8)
    change_line(bundle, 1, tokens=[0, rows])
    change_manifest(bundle, lambda manifest: manifest["tokens"].update(shape=[rows, 8]))
    refused(bundle, "line 1: tokens.i8: a text must have at most")


@pytest.mark.parametrize("line", [b"\n", b"[]\n", b"{}\n", b"\xff\n", b"[" * 100_000 + b"\n", b'{"text": "x"'])
def test_a_line_that_is_no_memory_is_named(bundle, line):
    with open(bundle / "memories.jsonl", "ab") as file:
        file.write(line)
    reseal(bundle)
    change_manifest(bundle, lambda manifest: manifest.update(memories=4))
    refused(bundle, "memories.jsonl line 4")


def test_a_line_of_any_length_is_not_read_whole(bundle):
    with open(bundle / "memories.jsonl", "ab") as file:
        file.write(b'{"text": "' + b"x" * (8 << 20) + b'"}\n')
    reseal(bundle)
    refused(bundle, "memories.jsonl line 4 must have at most")


def test_an_id_that_is_in_the_bundle_twice_is_refused_across_batches(tmp_path):
    with Memory.open(":memory:") as memory:
        memory.remember_many([{"text": f"Event {n}.", "external_id": str(n)} for n in range(300)])
        export_bundle(memory, tmp_path / "bundle")
    change_line(tmp_path / "bundle", 300, external_id="0")
    for existing in ("refuse", "skip", "replace"):
        refused(tmp_path / "bundle", "line 300: external_id '0' is there twice", existing=existing)


# -- links, ends, redaction ---------------------------------------------------------------------------


def linked_texts(memory: Memory) -> set[tuple[str, str]]:
    """The texts on both sides of every link of `supersedes`."""
    found = memory._opened.store.reading()
    with found as connection:
        pairs = connection.execute("SELECT source, target FROM links WHERE kind = 'supersedes'").fetchall()
    return {(memory.get(source).text, memory.get(target).text) for source, target in pairs}


def budgets(memory: Memory) -> None:
    memory.remember("My budget for the trip is $900.", speaker="Ann", time="2026-03-01", external_id="old")
    memory.remember("Something in between.", speaker="Ann", time="2026-03-02")
    memory.remember("We raised the budget for the trip to $1,200.", speaker="Ann", time="2026-04-11", external_id="new")
    assert memory.recall("How much is the budget for the trip?")[0].supersedes


PAIR = ("We raised the budget for the trip to $1,200.", "My budget for the trip is $900.")


@pytest.mark.parametrize("noted_only", [True, False])
def test_links_and_the_history_they_make_travel_along(tmp_path, noted_only):
    with Memory.open(":memory:") as memory:
        budgets(memory)
        if not noted_only:
            memory.remember("A write stores what recall has noted.")
        report = memory.export(tmp_path / "bundle")
        assert report.links == 1
    with Memory.open(":memory:") as memory:
        memory.remember("Here before.")
        assert memory.import_bundle(tmp_path / "bundle").links == 1
        assert linked_texts(memory) == {PAIR}
        assert [record.text for record in memory.history("new")] == list(PAIR[::-1])
        again = memory.import_bundle(tmp_path / "bundle", existing="skip")
        assert (again.added, again.links) == (0, 1)
        assert linked_texts(memory) == {PAIR}
        memory.import_bundle(tmp_path / "bundle", existing="replace")
        assert linked_texts(memory) == {PAIR}
        assert memory.verify().ok


def test_an_end_travels_along_and_what_has_ended_stays_behind(tmp_path):
    clock = ManualClock(1e9)
    with Memory.open(":memory:", clock=clock) as memory:
        memory.remember_many([Draft(text="One.", ttl=10), Draft(text="Two.", ttl=20), Draft(text="Three.")])
        expires = memory.get(2).expires
        clock.advance(10)
        assert memory.export(tmp_path / "bundle").memories == 2
    with Memory.open(":memory:", clock=clock) as memory:
        memory.import_bundle(tmp_path / "bundle")
        assert [(record.text, record.expires) for record in memory.records()] == [("Two.", expires), ("Three.", None)]
        clock.advance(10)
        assert [record.text for record in memory.records()] == ["Three."]
        assert memory.verify().ok
    with Memory.open(":memory:", clock=clock) as memory:
        report = memory.import_bundle(tmp_path / "bundle")
        assert (report.added, report.skipped) == (1, 1)


def as_format_1(folder: Path) -> None:
    """What the release before this one wrote."""
    (folder / "links.jsonl").unlink()
    path = folder / "memories.jsonl"
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    for line in lines:
        del line["expires"]
    data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    path.write_bytes(data)

    def change(manifest: dict[str, Any]) -> None:
        del manifest["links"], manifest["links_file"]
        manifest["format"] = "mnemoloom-bundle/1"
        manifest["memories_file"]["blake2b"] = digest(data)

    change_manifest(folder, change)


def test_a_bundle_of_the_first_format_is_still_read(bundle):
    as_format_1(bundle)
    with Memory.open(":memory:", config=NARROW) as memory:
        report = memory.import_bundle(bundle)
        assert (report.added, report.links) == (3, 0)
        assert [record.expires for record in memory.records()] == [None] * 3
        assert memory.verify().ok


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"source":0,"kind":"a","target":1}\n', "between lines"),
        (b'{"source":1,"kind":"a","target":4}\n', "between lines"),
        (b'{"source":true,"kind":"a","target":1}\n', "between lines"),
        (b'{"source":1,"kind":"","target":2}\n', "kind of a link"),
        (b'{"source":1,"kind":7,"target":2}\n', "kind of a link"),
        (b'{"source":1,"kind":"a\\u0000","target":2}\n', "kind of a link"),
        (b'{"source":1,"target":2}\n', "no field 'kind'"),
        (b'{"source":1,"kind":"a","target":2,"x":1}\n', "unknown field"),
        (b"[]\n", "must be a JSON object"),
        (b'{"source":1', "cut off"),
        (b" " * 5000 + b"\n", "longer than"),
    ],
)
def test_a_link_that_breaks_a_rule_is_refused(bundle, line, said):
    (bundle / "links.jsonl").write_bytes(line)
    reseal(bundle)
    if not line.endswith(b"\n"):
        change_manifest(bundle, lambda manifest: manifest.update(links=1))
    refused(bundle, f"links.jsonl line 1.*{said}")


def test_an_import_is_redacted_and_what_that_changes_loses_its_vector(tmp_path):
    with Memory.open(":memory:", embedder=HashingEmbedder(16)) as memory:
        memory.remember("Write to ann@example.org.", metadata={"mail": "ann@example.org"}, vector=[1.0] * 16)
        memory.remember("Nothing to hide.")
        memory.export(tmp_path / "bundle")
    config = Config(redact=Redactor())
    with Memory.open(":memory:", embedder=HashingEmbedder(16), config=config) as memory:
        memory.import_bundle(tmp_path / "bundle")
        first, second = memory.records()
        assert (first.text, first.metadata) == ("Write to [email].", {"mail": "[email]"})
        assert not memory.vectors([first.id]).any()
        assert memory.vectors([second.id]).any()
        assert memory.verify().ok
