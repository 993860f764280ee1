from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import ConfigError, TextError
from mnemoloom.ports import Embedder, TokenEmbedder

TEXTS = ["Ann moved to Oslo in May.", "", "?!", "naïve café", "日本語のテキスト", "🙂"]


def test_it_is_an_embedder_without_token_vectors():
    assert isinstance(HashingEmbedder(), Embedder)
    assert not isinstance(HashingEmbedder(), TokenEmbedder)


def test_the_identity_names_the_width():
    assert HashingEmbedder().identity == "hashing/512"
    assert HashingEmbedder(64).identity == "hashing/64"


@given(st.text(), st.sampled_from([8, 33, 512]))
def test_any_text_gives_a_finite_unit_row(text, dimension):
    rows = HashingEmbedder(dimension).embed([text])
    assert rows.shape == (1, dimension)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows[0]) == pytest.approx(1.0, abs=1e-6)


@given(st.lists(st.text(), max_size=6))
def test_a_row_does_not_depend_on_the_other_texts(texts):
    embedder = HashingEmbedder(64)
    alone = [embedder.embed([text], query=True)[0] for text in texts]
    np.testing.assert_array_equal(embedder.embed(texts), np.reshape(alone, (len(texts), 64)))


@pytest.mark.parametrize("seed", ["0", "12345"])
def test_another_process_with_another_hash_seed_gives_the_same_bytes(seed):
    code = (
        "import sys; from mnemoloom.embedders import HashingEmbedder; "
        f"sys.stdout.write(HashingEmbedder(96).embed({TEXTS!a}).tobytes().hex())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout == HashingEmbedder(96).embed(TEXTS).tobytes().hex()


def test_the_rows_of_known_texts_never_change():
    row = HashingEmbedder(8).embed(["Ann moved to Oslo"])[0]
    assert row.tolist() == [0.0, 0.25, 0.25, 0.25, 0.0, 0.75, 0.0, -0.5]
    rows = HashingEmbedder().embed(TEXTS).astype("<f4")
    assert sha256(rows.tobytes()).hexdigest() == "c3dc8615f628046eca4935be8a5ec6dc327e58c428ba26f559e690ea780d584e"


def test_texts_that_share_words_are_nearer_than_texts_that_share_none():
    question, answer, other = HashingEmbedder().embed(
        ["Where did Ann move to?", "Ann moved to Oslo.", "My cat sleeps all day."]
    )
    assert question @ answer > question @ other + 0.2


def test_inflected_words_are_near_each_other():
    row, inflected, other = HashingEmbedder().embed(["painting", "paintings", "harbour"])
    assert row @ inflected > 0.3 > abs(row @ other)


def test_case_and_compatibility_forms_make_no_difference():
    rows = HashingEmbedder().embed(["Cafe\u0301 OSLO", "caf\u00e9 oslo", "ｃａｆé oslo"])
    np.testing.assert_array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(rows[0], rows[2])


def test_a_repeated_word_counts_less_than_twice():
    once, often, other = HashingEmbedder().embed(["cat dog", "cat cat cat cat dog", "dog"])
    assert once @ other > often @ other > 0.2


def test_texts_without_a_word_have_rows_of_their_own():
    rows = HashingEmbedder().embed(["?", "!", "?"])
    np.testing.assert_array_equal(rows[0], rows[2])
    assert not np.array_equal(rows[0], rows[1])


def test_no_texts_are_no_rows():
    assert HashingEmbedder(64).embed([]).shape == (0, 64)


def test_a_megabyte_without_a_space_is_encoded():
    assert np.isfinite(HashingEmbedder().embed(["ab" * 2**19])).all()


@pytest.mark.parametrize("dimension", [0, 7, -512, 65_537, 2.5, "512", True, None])
def test_a_width_outside_its_bounds_is_refused(dimension):
    with pytest.raises(ConfigError, match=r"HashingEmbedder\.dimension must be"):
        HashingEmbedder(dimension)


@pytest.mark.parametrize("texts", ["Ann moved", ["a", None], [b"a"]])
def test_anything_but_a_list_of_strings_is_refused(texts):
    with pytest.raises(TextError, match="texts must be"):
        HashingEmbedder().embed(texts)
