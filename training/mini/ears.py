"""What the audio tower is taught by itself: the words for the sound that each of its tokens hears.

Left to the descriptions alone, some seeds take a thousand steps to find out that clips can be listened to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dtbench.tasks.mini_world.events import BEEPS, KINDS, LENGTHS, LEVELS, ORDINALS, PITCHES, WAYS
from dtbench.tasks.mini_world.items import Item
from dtbench.tasks.mini_world.scales import RATE
from dtbench.training.mini.architecture import TOKENS_A_CHUNK
from dtbench.training.mini.batches import CLIP_TOKENS

WORDS = (*ORDINALS, *KINDS, *LEVELS, *LENGTHS, *PITCHES, *WAYS, *map(str, BEEPS))
_TOKEN = 0.08
"""Seconds; the last one of a second is half as long."""


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
            for word in (name, *event.heard.words().split()):
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
