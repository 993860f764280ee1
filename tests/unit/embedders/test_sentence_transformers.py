"""SentenceTransformerEmbedder against the library's own encode(), with the packaged MiniLM model."""

from __future__ import annotations

import re
import shutil
import threading

import numpy as np
import pytest

from mnemoloom.embedders import SentenceTransformerEmbedder
from mnemoloom.errors import ConfigError, EmbedderAnswerError, EmbedderError, TextError
from mnemoloom.ports import Embedder, TokenEmbedder

pytestmark = pytest.mark.minilm

TEXTS = [
    "I moved to Oslo in May.",
    "Melanie's painting hangs in the unbelievably-bright kitchen, doesn't it?",
    "ok",
    "",
    "?!",
    "  spaces around  ",
    "naïve café 🙂 日本語",
    "a much longer message " * 30,
    "word " * 600,  # longer than the model reads
]


class OldModel:
    """What sentence-transformers before 5.4 offers: tokenize() to plain tensors of the stripped text."""

    def __init__(self, model):
        self._model = model
        self.tokenizer, self.device, self.max_seq_length = model.tokenizer, model.device, model.max_seq_length

    def eval(self):
        return self

    def tokenize(self, texts):
        return dict(
            self.tokenizer(
                [text.strip() for text in texts],
                padding=True,
                truncation="longest_first",
                max_length=self.max_seq_length,
                return_tensors="pt",
            )
        )

    def get_sentence_embedding_dimension(self):
        return 384

    def __call__(self, features):
        return self._model(features)


class Answering(OldModel):
    """A model whose answer is passed through a function."""

    def __init__(self, model, change):
        super().__init__(model)
        self._change = change

    def __call__(self, features):
        return self._change(super().__call__(features))


def same(left, right):
    np.testing.assert_array_equal(left[0], right[0])
    for one, other in zip(left[1], right[1], strict=True):
        assert one.words == other.words
        np.testing.assert_array_equal(one.vectors, other.vectors)


def test_it_is_a_token_embedder(minilm):
    assert isinstance(minilm, Embedder)
    assert isinstance(minilm, TokenEmbedder)


def test_rows_equal_those_of_the_library(minilm, model):
    rows = minilm.embed(TEXTS)
    assert rows.dtype == np.float32
    assert rows.shape == (len(TEXTS), 384)
    np.testing.assert_allclose(rows, model.encode(TEXTS, normalize_embeddings=True), atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_batching_changes_no_row_and_no_order(minilm, model, batch_size):
    other = SentenceTransformerEmbedder(model, identity="minilm", batch_size=batch_size)
    rows, tokens = other.embed_tokens(TEXTS)
    whole, shown = minilm.embed_tokens(TEXTS)
    np.testing.assert_allclose(rows, whole, atol=1e-5)
    for one, all_at_once in zip(tokens, shown, strict=True):
        assert one.words == all_at_once.words
        np.testing.assert_allclose(one.vectors, all_at_once.vectors, atol=1e-4)


def test_rows_come_with_their_tokens_in_one_pass(minilm):
    rows, tokens = minilm.embed_tokens(TEXTS)
    np.testing.assert_array_equal(rows, minilm.embed(TEXTS))
    assert len(tokens) == len(TEXTS)
    for entry in tokens:
        assert entry.vectors.dtype == np.float32
        assert entry.vectors.shape == (len(entry.words), 384)
        np.testing.assert_allclose(np.linalg.norm(entry.vectors, axis=1), 1.0, atol=1e-5)


def test_each_piece_is_named_by_its_word(minilm):
    _, tokens = minilm.embed_tokens(TEXTS)
    assert tokens[0].words == ("i", "moved", "to", "oslo", "in", "may")
    assert set(tokens[1].words) == {
        "melanie", "painting", "hangs", "in", "the", "unbelievably", "bright", "kitchen", "doesn't", "it"
    }  # fmt: skip
    assert tokens[1].words.count("unbelievably") > 1
    assert tokens[2].words == ("ok",)
    assert tokens[3].words == tokens[4].words == ()
    assert tokens[5].words == ("spaces", "around")
    assert tokens[6].words[:2] == ("naïve", "café")
    assert tokens[8].words == ("word",) * (256 - 2)  # the model's limit, less two special tokens


def test_token_vectors_are_those_of_the_model_scaled_to_length_one(minilm, model):
    import torch

    with torch.inference_mode():
        expected = model(model.preprocess(["I moved to Oslo in May."]))["token_embeddings"][0, 1:-2].numpy()
    _, tokens = minilm.embed_tokens(["I moved to Oslo in May."])
    np.testing.assert_allclose(tokens[0].vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-5)


def test_the_row_points_where_the_mean_of_the_tokens_points(minilm):
    rows, tokens = minilm.embed_tokens(["Melanie painted a bright sunrise over the harbour of Oslo last year"])
    mean = tokens[0].vectors.mean(axis=0)
    # not exactly: the model also averages its two special tokens, and before scaling
    assert rows[0] @ mean / np.linalg.norm(mean) > 0.95


def test_no_texts_are_no_rows(minilm):
    assert minilm.embed([]).shape == (0, 384)
    rows, tokens = minilm.embed_tokens([])
    assert rows.shape == (0, 384)
    assert tokens == []


def test_prompts_go_before_questions_and_memories_but_their_tokens_are_left_out(model):
    embedder = SentenceTransformerEmbedder(
        model, identity="minilm", query_prompt="query: ", memory_prompt="a passage: "
    )
    question, shown = embedder.embed_tokens(["where is Ann"], query=True)
    assert shown[0].words == ("where", "is", "ann")
    np.testing.assert_allclose(question, model.encode(["query: where is Ann"], normalize_embeddings=True), atol=1e-5)
    memory, shown = embedder.embed_tokens(["where is Ann"])
    assert shown[0].words == ("where", "is", "ann")
    np.testing.assert_allclose(memory, model.encode(["a passage: where is Ann"], normalize_embeddings=True), atol=1e-5)


def test_an_old_version_of_the_library_gives_the_same(minilm, model):
    old = SentenceTransformerEmbedder(OldModel(model), identity="minilm")
    same(old.embed_tokens(TEXTS), minilm.embed_tokens(TEXTS))


def test_bfloat16_is_near_float32_and_comes_back_as_float32(minilm, minilm_folder):
    half = SentenceTransformerEmbedder(minilm_folder, identity="minilm", dtype="bfloat16", device="cpu")
    rows, tokens = half.embed_tokens(TEXTS)
    exact, exact_tokens = minilm.embed_tokens(TEXTS)
    assert rows.dtype == tokens[0].vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    assert (rows * exact).sum(axis=1).min() >= 0.999
    assert tokens[0].words == exact_tokens[0].words
    assert (tokens[0].vectors * exact_tokens[0].vectors).sum(axis=1).min() >= 0.99


def test_without_tokens_it_is_a_plain_embedder(minilm, model):
    plain = SentenceTransformerEmbedder(model, identity="minilm", tokens=False)
    assert isinstance(plain, Embedder)
    assert not isinstance(plain, TokenEmbedder)
    np.testing.assert_array_equal(plain.embed(TEXTS), minilm.embed(TEXTS))


def test_without_a_fast_tokenizer_there_are_rows_but_no_tokens(model):
    class SlowTokenizer:
        is_fast = False

    slow = OldModel(model)
    slow.tokenizer = SlowTokenizer()
    slow.tokenize = OldModel(model).tokenize
    with pytest.raises(EmbedderError, match=r"no fast tokenizer .* pass tokens=False"):
        SentenceTransformerEmbedder(slow, identity="slow")
    assert SentenceTransformerEmbedder(slow, identity="slow", tokens=False).embed(["a"]).shape == (1, 384)


def test_a_text_changed_before_tokenization_is_refused_for_tokens(model):
    class Reversing(OldModel):
        def tokenize(self, texts):
            return super().tokenize([text[::-1] for text in texts])

    embedder = SentenceTransformerEmbedder(Reversing(model), identity="odd")
    with pytest.raises(EmbedderError, match=r"changes a text .* pass tokens=False"):
        embedder.embed_tokens(["where is Ann"])
    assert embedder.embed(["where is Ann"]).shape == (1, 384)


def test_threads_share_one_embedder(minilm):
    alone = {text: minilm.embed_tokens([text]) for text in TEXTS}
    wrong = []

    def encode(text):
        for _ in range(3):
            rows, tokens = minilm.embed_tokens([text])
            if not np.allclose(rows, alone[text][0], atol=1e-5) or tokens[0].words != alone[text][1][0].words:
                wrong.append(text)

    threads = [threading.Thread(target=encode, args=(text,)) for text in TEXTS[:6]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_nothing_is_printed(minilm_folder, capfd):
    SentenceTransformerEmbedder(minilm_folder, device="cpu").embed(TEXTS)
    out, err = capfd.readouterr()
    assert out == err == ""


def test_progress_bars_are_as_before_once_it_is_loaded(minilm_folder):
    from transformers.utils import logging

    before = logging.is_progress_bar_enabled()
    SentenceTransformerEmbedder(minilm_folder, device="cpu")
    assert logging.is_progress_bar_enabled() == before


def test_the_identity_is_the_folders_name_and_a_memory_prompt(minilm_folder, tmp_path):
    named = shutil.copytree(minilm_folder, tmp_path / "all-MiniLM")
    assert SentenceTransformerEmbedder(named, device="cpu").identity == "all-MiniLM"
    prompted = SentenceTransformerEmbedder(str(named), device="cpu", memory_prompt="passage: ")
    assert prompted.identity == "all-MiniLM#passage: "


def test_a_folder_whose_name_says_nothing_is_called_by_what_is_in_it(minilm_folder):
    assert minilm_folder.name == "model"
    identity = SentenceTransformerEmbedder(minilm_folder, device="cpu").identity
    assert re.fullmatch("model-[0-9a-f]{16}", identity)
    assert SentenceTransformerEmbedder(minilm_folder, device="cpu").identity == identity


def test_a_given_identity_is_kept(minilm):
    assert minilm.identity == "minilm"


@pytest.mark.parametrize("settings", [{}, {"identity": "a", "dtype": "bfloat16"}, {"identity": "a", "device": "cpu"}])
def test_a_loaded_model_needs_a_name_and_keeps_its_settings(model, settings):
    with pytest.raises(ConfigError, match="a loaded model needs an identity"):
        SentenceTransformerEmbedder(model, **settings)


@pytest.mark.parametrize("settings", [{"batch_size": 0}, {"dtype": "float64"}])
def test_settings_outside_their_bounds_are_refused(model, settings):
    with pytest.raises(ConfigError, match="SentenceTransformerEmbedder"):
        SentenceTransformerEmbedder(model, identity="a", **settings)


def test_a_folder_that_does_not_exist_is_not_looked_for_on_the_network(tmp_path):
    for missing in (tmp_path / "nothing", str(tmp_path / "nothing"), "./nothing"):
        with pytest.raises(ConfigError, match="no folder with a sentence-transformers model"):
            SentenceTransformerEmbedder(missing)


def test_a_folder_without_a_model_cannot_be_loaded(tmp_path):
    with pytest.raises(EmbedderError, match="cannot be loaded"):
        SentenceTransformerEmbedder(tmp_path)


def test_a_name_that_is_not_on_this_machine_cannot_be_loaded_offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(EmbedderError, match="'nobody/no-such-model' cannot be loaded"):
        SentenceTransformerEmbedder("nobody/no-such-model")


def test_one_string_instead_of_a_list_is_refused(minilm):
    with pytest.raises(TextError, match="got one string"):
        minilm.embed("Ann moved")


def test_a_failure_of_the_model_is_our_error(model):
    def fail(answer):
        raise RuntimeError("out of memory")

    with pytest.raises(EmbedderError, match="failed to encode 1 texts: out of memory") as got:
        SentenceTransformerEmbedder(Answering(model, fail), identity="broken").embed(["a"])
    assert isinstance(got.value.__cause__, RuntimeError)


def test_a_model_that_answers_nan_is_refused(model):
    def poison(answer):
        return {**answer, "sentence_embedding": answer["sentence_embedding"] * float("nan")}

    with pytest.raises(EmbedderAnswerError, match="broken answered row 0 with NaN"):
        SentenceTransformerEmbedder(Answering(model, poison), identity="broken").embed(["a"])


def test_a_model_without_token_vectors_is_refused_for_tokens(model):
    def hide(answer):
        return {"sentence_embedding": answer["sentence_embedding"]}

    embedder = SentenceTransformerEmbedder(Answering(model, hide), identity="closed")
    assert embedder.embed(["a"]).shape == (1, 384)
    with pytest.raises(EmbedderError):
        embedder.embed_tokens(["a"])
