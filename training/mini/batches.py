"""Lessons as tensors: a clip once, followed by all lessons about it, none of which attends to another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from dtbench.training.mini.architecture import TOKENS_A_CHUNK
from dtbench.training.mini.language import NUMBERS, ROLES, encode
from dtbench.training.mini.lessons import Lesson

CLIP_TOKENS = 4 * TOKENS_A_CHUNK
_CLIP = [NUMBERS[ROLES[role]] for role in ("audio_bos_token", "audio_token", "audio_eos_token")]
PREFIX: Sequence[int] = (*encode("<|im_start|> user"), _CLIP[0], *[_CLIP[1]] * CLIP_TOKENS, _CLIP[2])
"""The tokens before a lesson about a clip."""
CLIP_START = 3
"""The index of the first token of the clip."""
_ROUND = 16


class LessonBatch(NamedTuple):
    """Lessons of several clips, a row each."""

    ids: Any
    positions: Any
    """The position of each token, as if its lesson were alone after its clip."""
    mask: Any
    """0 where a token attends to another, else -inf."""
    targets: Any
    """The next token; -100 where none is learnt."""


def make_batch(rows: Sequence[Sequence[Lesson]]) -> LessonBatch:
    """Put the lessons about each clip into a row that starts with the clip."""
    import torch

    longest = len(PREFIX) + max(sum(len(lesson.prompt) + len(lesson.answer) for lesson in row) for row in rows)
    length = -(-longest // _ROUND) * _ROUND
    shape = (len(rows), length)
    ids, positions = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    targets, part = torch.full(shape, -100), torch.full(shape, -1)
    has_clip = torch.zeros(shape, dtype=torch.bool)
    first = len(PREFIX)
    for row, lessons in enumerate(rows):
        ids[row, :first] = torch.tensor(PREFIX)
        positions[row, :first] = torch.arange(first)
        part[row, :first] = 0
        start = first
        for number, lesson in enumerate(lessons, 1):
            tokens = [*lesson.prompt, *lesson.answer]
            end, answer = start + len(tokens), start + len(lesson.prompt)
            ids[row, start:end] = torch.tensor(tokens)
            positions[row, start:end] = torch.arange(len(tokens)) + (first if lesson.has_clip else 0)
            targets[row, answer - 1 : end - 1] = torch.tensor(lesson.answer)
            part[row, start:end] = number
            has_clip[row, start:end] = lesson.has_clip
            start = end
    same = part[:, :, None] == part[:, None, :]
    clip = (part[:, None, :] == 0) & has_clip[:, :, None]
    attended = (same | clip) & torch.ones(length, length, dtype=torch.bool).tril()
    mask = torch.zeros(attended.shape).masked_fill(~attended, float("-inf"))[:, None]
    return LessonBatch(ids, positions, mask, targets)
