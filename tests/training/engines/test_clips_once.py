"""Clips that are heard again are not encoded again, and what is heard is the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trainer import model_in_the_box

from dtbench.training.engines.inside.swift_clips import RecentResults, remember_features, remember_towers


@pytest.fixture(scope="module")
def torch() -> Any:
    """The package, imported by a test: at collection it costs each worker seconds."""
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def transformers(torch: Any) -> Any:
    return pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def extractor(transformers: Any) -> Any:
    """The feature extractor of the model in the box, untouched."""
    return transformers.AutoFeatureExtractor.from_pretrained(model_in_the_box())


@pytest.fixture
def model(transformers: Any) -> Any:
    """The model in the box, whose tower does not learn."""
    kind = transformers.Qwen3OmniMoeThinkerForConditionalGeneration
    loaded = kind.from_pretrained(model_in_the_box())
    loaded.audio_tower.requires_grad_(False)
    return loaded


def waveforms(*seconds: float) -> Sequence[Any]:
    """Noise, another one for each length."""
    return [np.random.default_rng(int(s * 10)).normal(0, 0.1, int(s * 16000)).astype(np.float32) for s in seconds]


def features(extractor: Any, clips: Sequence[Any]) -> tuple[Any, Any]:
    """What a tower is given of clips: their frames side by side, and how many each has."""
    import torch

    made = [extractor([clip], sampling_rate=16000, return_tensors="pt", padding=True) for clip in clips]
    frames = [one["input_features"][0][:, : int(one["attention_mask"].sum())] for one in made]
    return torch.cat(frames, dim=1), torch.tensor([one.shape[1] for one in frames])


def test_a_tower_that_does_not_learn_hears_each_clip_once_and_hears_the_same(
    model: Any, extractor: Any, torch: Any
) -> None:
    first, second, third = waveforms(1.0, 0.7, 1.3)
    heard = features(extractor, [first, second, first, third, first])
    with torch.no_grad():
        before = model.audio_tower(heard[0], feature_lens=heard[1]).last_hidden_state
        kept = remember_towers([model])
        assert kept is not None
        after = model.audio_tower(heard[0], feature_lens=heard[1]).last_hidden_state
        assert kept.made == 3
        again = model.audio_tower(heard[0], feature_lens=heard[1]).last_hidden_state
    assert kept.made == 3
    assert torch.allclose(before, after, atol=1e-5)
    assert torch.equal(after, again)


def test_a_gradient_still_reaches_what_the_tower_gives(model: Any, extractor: Any) -> None:
    heard = features(extractor, waveforms(1.0, 1.0))
    remember_towers([model])
    seen: list[Any] = []
    model.audio_tower.register_forward_hook(lambda module, given, output: seen.append(output))
    model.audio_tower(heard[0], feature_lens=heard[1])
    assert len(seen) == 1
    assert seen[0].last_hidden_state.shape[0] % 2 == 0


def test_a_tower_that_learns_is_left_alone(model: Any) -> None:
    model.audio_tower.requires_grad_(True)
    before = model.audio_tower.forward
    assert remember_towers([model]) is None
    assert model.audio_tower.forward == before


def test_features_of_the_same_waveform_are_made_once_and_may_be_changed(
    extractor: Any, tmp_path: Path, torch: Any, transformers: Any
) -> None:
    own = transformers.AutoFeatureExtractor.from_pretrained(model_in_the_box())
    kept = remember_features(own)
    (clip,) = waveforms(1.0)
    settings = {"sampling_rate": 16000, "return_tensors": "pt", "padding": True}
    first = own([clip], **settings)
    expected = extractor([clip], **settings)
    assert torch.equal(first["input_features"], expected["input_features"])
    first["input_features"].zero_()
    assert torch.equal(own([clip], **settings)["input_features"], expected["input_features"])
    assert kept.made == 1
    own([clip * 2], **settings)
    own([clip], **settings, do_normalize=True)
    assert kept.made == 3
    own.save_pretrained(tmp_path)
    assert '"feature_extractor_type": "WhisperFeatureExtractor"' in (tmp_path / "preprocessor_config.json").read_text()


def test_no_more_is_kept_than_the_limit() -> None:
    kept = RecentResults(most=100)
    for number in range(5):
        kept.keep(bytes([number]), number, 40)
    assert [kept.get(bytes([number])) for number in range(5)] == [None, None, None, 3, 4]
