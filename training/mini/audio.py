"""Features of clips, and the labels that the audio tower is trained on by itself: the words for each of its tokens.

Left to the descriptions alone, some seeds take a thousand steps to find out that clips can be listened to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dtbench.tasks.mini_world.events import BEEPS, KINDS, LENGTHS, LEVELS, ORDINALS, PITCHES, WAYS
from dtbench.tasks.mini_world.items import Item
from dtbench.tasks.mini_world.scales import RATE
from dtbench.training.mini.architecture import MEL_BINS, TOKENS_A_CHUNK
from dtbench.training.mini.batches import CLIP_TOKENS

WORDS = (*ORDINALS, *KINDS, *LEVELS, *LENGTHS, *PITCHES, *WAYS, *map(str, BEEPS))
_TOKEN = 0.08
"""Seconds; the last one of a second is half as long."""
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


def sounding(items: Sequence[Item]) -> Any:
    """An array of (clips, tokens, words): which words are true of what sounds in the middle of each token."""
    import numpy as np

    places = np.arange(CLIP_TOKENS)
    middles = places // TOKENS_A_CHUNK + (places % TOKENS_A_CHUNK + 0.5) * _TOKEN
    true = np.zeros((len(items), CLIP_TOKENS, len(WORDS)), np.bool_)
    for clip, item in enumerate(items):
        for name, event in zip(ORDINALS, item.events, strict=False):
            start = event.span.start / RATE
            within = (middles >= start) & (middles < start + event.span.samples / RATE)
            for word in (name, *event.sound.words().split()):
                true[clip, within, WORDS.index(word)] = True
    return true


def head(width: int) -> Any:
    """What reads the words from a token; it is no part of the model."""
    import torch

    return torch.nn.Linear(width, len(WORDS))


def missed(head: Any, clips: Any, true: Any) -> Any:
    """How far the words that the head reads are from the true ones."""
    from torch.nn import functional as f

    return f.binary_cross_entropy_with_logits(head(clips), true.float())
