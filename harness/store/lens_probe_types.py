"""What `dtbench probe lens` stores: a line for each question, and the figures over all of them.

A layer is named by how many layers have run: 0 is the embeddings, the last one what the model itself says.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from dtbench.harness.store.share_types import EstimateFigures

TokenKind = Literal["opening", "first", "content", "answer", "direct"]
"""Which tokens of a forced text are read: the tag that opens the reasoning, the first token after it, words for what is
heard, the answer after the reasoning, and the answer where no reasoning comes before it."""
LensMeasure = Literal["probability", "entropy", "margin"]


class TokenReadings(TypedDict):
    """What every layer says at the tokens of one kind, in one question; means over those tokens."""

    tokens: int
    entropy: list[float]
    """By layer, in bits, of the layer's distribution over the vocabulary."""
    logprob: list[float]
    """By layer, the natural log-probability of the forced token."""
    rank: list[float]
    """By layer, the mean of the base-2 logarithm of the forced token's rank: 0 where it is the likeliest."""
    first: list[float]
    """By layer, the share of the tokens that are the likeliest one."""
    probability: list[float]
    """By layer."""
    other: list[float] | None
    """By layer, the probability of what another question has at such a place; null where that is the same token."""
    margin: list[float] | None
    """By layer, log-probability of the right option's token minus that of the likeliest other option; null where a
    token of this kind names no option."""
    settles: list[int]
    """Of each token the layer from which it is the likeliest up to the top; -1 where it is not at the top."""
    sure: list[int]
    """Of each token the layer from which its probability also stays above one half; -1 where it does not."""


class PatchReadings(TypedDict):
    """What becomes of the tokens of one kind where the states of the clip are another clip's, in one question."""

    changed: list[float]
    """By the layer whose states are replaced, the share of tokens at which another becomes likeliest."""
    fall: list[float]
    """By that layer, how much the log-probability of what was the likeliest before falls."""


class LensReading(TypedDict):
    """One question under one checkpoint: a line of lens.jsonl."""

    checkpoint: int
    """The place of the checkpoint among those that are looked into."""
    id: str
    text: str
    """SHA-256 of the forced text, twelve digits."""
    kinds: dict[str, TokenReadings]
    patched: dict[str, PatchReadings]


class LensLayer(TypedDict):
    """One layer at the tokens of one kind, over all questions: means with 95 % bootstrap intervals."""

    layer: int
    entropy: EstimateFigures
    """In bits."""
    probability: EstimateFigures
    rank: EstimateFigures
    """The geometric mean of the forced token's rank; 1 where it always is the likeliest."""
    first: EstimateFigures
    """The share of tokens that are the likeliest."""
    other: EstimateFigures | None
    """The chance level: the mean probability of what another question has there; null where it is the same."""
    margin: EstimateFigures | None


class SettlingFigures(TypedDict):
    """The layer where tokens settle: from there to the top each is the likeliest."""

    share: EstimateFigures
    """Of the tokens, how many settle at all."""
    layer: EstimateFigures
    """The mean layer of those that do; null where none does."""
    sure_share: EstimateFigures
    """Of the tokens, how many also keep a probability above one half."""
    sure_layer: EstimateFigures


class LensKind(TypedDict):
    """The tokens of one kind under one checkpoint."""

    kind: str
    questions: int
    tokens: int
    layers: list[LensLayer]
    settling: SettlingFigures


class PatchLayer(TypedDict):
    """What replacing the states of the clip after one layer does; means with 95 % bootstrap intervals."""

    layer: int
    changed: EstimateFigures
    fall: EstimateFigures


class PatchedKind(TypedDict):
    """The tokens of one kind while the states of the clip are another clip's."""

    kind: str
    questions: int
    layers: list[PatchLayer]
    hears: bool | None
    """Whether another clip matters: whether the interval of the fall at the embeddings is above 0.01; null for one
    question, of which it cannot be told."""
    ends: int | None
    """The layer from which another clip no longer matters: the fall stays below 5 % of that at the embeddings; null
    where the clip never mattered."""


class LensCheckpoint(TypedDict):
    """One checkpoint."""

    checkpoint: str
    content: NotRequired[str]
    """Digits of a hash of its files; left out for a checkpoint on the hub."""
    layers: int
    vocabulary: int
    control: NotRequired[bool]
    """Whether it is the control; absent for all others."""
    kinds: list[LensKind]
    patched: list[PatchedKind]


class LensChange(TypedDict):
    """How much more the last checkpoint has of something than the first, at the same tokens of the same questions."""

    kind: str
    layer: int
    measure: LensMeasure
    change: EstimateFigures
    control: NotRequired[EstimateFigures]
    """The same of the control, which is what training alone does; absent without one."""


class LensFigures(TypedDict):
    """What lens.json holds."""

    kind: Literal["lens"]
    dtbench: str
    task: str
    questions: int
    text: str
    """Whose texts are forced on every checkpoint."""
    draws: int
    """Of the bootstrap."""
    checkpoints: list[LensCheckpoint]
    changes: NotRequired[list[LensChange]]
    """By kind of token, measure and layer; empty for one checkpoint, absent in files made before there was this."""
    notes: list[str]
