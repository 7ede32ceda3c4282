"""Embeddings by a real model of sentence-transformers: a tiny one with random weights, made here."""

from __future__ import annotations

from pathlib import Path

import pytest
from chains import GOOD, OTHER, ROW, completion

from dtbench.training.rewards import Rewards, RewardSettings

pytest.importorskip("sentence_transformers", reason="the extra dtbench[embedding] is not installed")
WORDS = sorted({*"abcdefghijklmnopqrstuvwxyz", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"), ".", ","})


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT that spells words letter by letter."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("bert")
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=5 + len(WORDS), **small)).save_pretrained(folder)
    BertTokenizerFast(vocab_file=str(vocabulary)).save_pretrained(folder)
    parts = Transformer(str(folder)), Pooling(32)
    SentenceTransformer(modules=list(parts)).save(str(folder / "sentences"))
    return folder / "sentences"


@pytest.mark.filterwarnings("ignore")
def test_the_cosine_is_that_of_the_models_own_embeddings(checkpoint: Path) -> None:
    from sentence_transformers import SentenceTransformer, util

    with Rewards(RewardSettings(embedding=str(checkpoint))) as rewards:
        texts = [completion(GOOD), completion(OTHER)]
        earned = rewards.score(["embedding"], [ROW, ROW], texts).values["embedding"]
    model = SentenceTransformer(str(checkpoint), device="cpu")
    reference = model.encode(ROW.chain)
    expected = [float(util.cos_sim(model.encode(chain), reference)) for chain in (GOOD, OTHER)]
    assert earned == pytest.approx(expected, abs=2 / 1024)
    assert earned[0] != earned[1]
