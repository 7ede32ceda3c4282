"""Features of clips, and the labels that the audio tower is trained on by itself: the words for each of its tokens.

Left to the descriptions alone, some seeds take a thousand steps to find out that clips can be listened to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dtbench.tasks.mini_world.events import BEEPS, KINDS, LENGTHS, LEVELS, ORDINALS, PITCHES, WAYS
from dtbench.tasks.mini_world.items import Item
from dtbench.tasks.mini_world.scales import RATE
from dtbench.training.mini.architecture import MEL_BINS, TOKENS_A_CHUNK
from dtbench.training.mini.forward import CLIP_TOKENS

SOUND_WORDS = (*ORDINALS, *KINDS, *LEVELS, *LENGTHS, *PITCHES, *WAYS, *map(str, BEEPS))
_TOKEN_SECONDS = 0.08
"""The last token of a second is half as long."""
FRAMES = 400
_BATCH = 64
_WAV_HEADER = 44


def clip_features(items: Sequence[Item]) -> Any:
    """Return the features of clips at half precision: (clips, bins, frames)."""
    import numpy as np
    from transformers import WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor(feature_size=MEL_BINS, chunk_length=FRAMES // 100)
    features = np.empty((len(items), MEL_BINS, FRAMES), np.float16)
    for start in range(0, len(items), _BATCH):
        part = items[start : start + _BATCH]
        clips = [np.frombuffer(item.wav()[_WAV_HEADER:], "<i2").astype(np.float32) / 32_768 for item in part]
        extracted = extractor(clips, sampling_rate=RATE, return_tensors="np").input_features
        features[start : start + len(part)] = extracted[:, :, :FRAMES]
    return features


def word_labels(items: Sequence[Item]) -> Any:
    """Return which words are true of the middle of each token: (clips, tokens, words)."""
    import numpy as np

    tokens = np.arange(CLIP_TOKENS)
    middles = tokens // TOKENS_A_CHUNK + (tokens % TOKENS_A_CHUNK + 0.5) * _TOKEN_SECONDS
    true = np.zeros((len(items), CLIP_TOKENS, len(SOUND_WORDS)), np.bool_)
    for clip, item in enumerate(items):
        for name, event in zip(ORDINALS, item.events, strict=False):
            start = event.span.start / RATE
            within = (middles >= start) & (middles < start + event.span.samples / RATE)
            for word in (name, *event.sound.words().split()):
                true[clip, within, SOUND_WORDS.index(word)] = True
    return true


def word_head(width: int) -> Any:
    """Make the layer that reads the words from a token; it is no part of the model."""
    import torch

    return torch.nn.Linear(width, len(SOUND_WORDS))


def word_loss(head: Any, clips: Any, true: Any) -> Any:
    """Return the loss of the words that the head reads."""
    from torch.nn import functional as f

    return f.binary_cross_entropy_with_logits(head(clips), true.float())
