"""Clips as the feature extractor of the checkpoint gives them, all held in memory at half precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dtbench.tasks.mini_world.items import Item
from dtbench.tasks.mini_world.scales import RATE
from dtbench.training.mini.architecture import MEL_BINS

FRAMES = 400
_AT_ONCE = 64
_HEADER = 44


def features(items: Sequence[Item], say: Callable[[int], None] = lambda done: None) -> Any:
    """An array of (clips, bins, frames)."""
    import numpy as np
    from transformers import WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor(feature_size=MEL_BINS, chunk_length=FRAMES // 100)
    held = np.empty((len(items), MEL_BINS, FRAMES), np.float16)
    for start in range(0, len(items), _AT_ONCE):
        part = items[start : start + _AT_ONCE]
        clips = [np.frombuffer(item.wav()[_HEADER:], "<i2").astype(np.float32) / 32_768 for item in part]
        made = extractor(clips, sampling_rate=RATE, return_tensors="np").input_features
        held[start : start + len(part)] = made[:, :, :FRAMES]
        say(start + len(part))
    return held
