"""Lessons as tensors: a clip once, and behind it all lessons about it, none of which sees another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from dtbench.training.mini.architecture import TOKENS_A_CHUNK
from dtbench.training.mini.language import NUMBERS, ROLES, tokens
from dtbench.training.mini.lessons import Lesson

CLIP_TOKENS = 4 * TOKENS_A_CHUNK
_CLIP = [NUMBERS[ROLES[role]] for role in ("audio_bos_token", "audio_token", "audio_eos_token")]
PREFIX: Sequence[int] = (*tokens("<|im_start|> user"), _CLIP[0], *[_CLIP[1]] * CLIP_TOKENS, _CLIP[2])
"""What stands before a lesson about a clip."""
CLIP_PLACE = 3
"""Where the tokens of the clip begin."""
_ROUND = 16


class LessonBatch(NamedTuple):
    """Rows of lessons."""

    ids: Any
    places: Any
    """The position of each token, as if its lesson were alone behind its clip."""
    mask: Any
    """What each token does not see, as -inf."""
    wanted: Any
    """The token that is to come next; -100 where none is taught."""


def batch(rows: Sequence[Sequence[Lesson]]) -> LessonBatch:
    """Each row begins with the clip."""
    import torch

    longest = len(PREFIX) + max(sum(len(one.given) + len(one.said) for one in row) for row in rows)
    length = -(-longest // _ROUND) * _ROUND
    shape = (len(rows), length)
    ids, places = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    wanted, part = torch.full(shape, -100), torch.full(shape, -1)
    heard = torch.zeros(shape, dtype=torch.bool)
    first = len(PREFIX)
    for row, lessons in enumerate(rows):
        ids[row, :first] = torch.tensor(PREFIX)
        places[row, :first] = torch.arange(first)
        part[row, :first] = 0
        start = first
        for number, lesson in enumerate(lessons, 1):
            words = [*lesson.given, *lesson.said]
            end, spoken = start + len(words), start + len(lesson.given)
            ids[row, start:end] = torch.tensor(words)
            places[row, start:end] = torch.arange(len(words)) + (first if lesson.heard else 0)
            wanted[row, spoken - 1 : end - 1] = torch.tensor(lesson.said)
            part[row, start:end] = number
            heard[row, start:end] = lesson.heard
            start = end
    same = part[:, :, None] == part[:, None, :]
    clip = (part[:, None, :] == 0) & heard[:, :, None]
    seen = (same | clip) & torch.ones(length, length, dtype=torch.bool).tril()
    mask = torch.zeros(seen.shape).masked_fill(~seen, float("-inf"))[:, None]
    return LessonBatch(ids, places, mask, wanted)
