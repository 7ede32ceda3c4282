"""The types of what `dtbench probe states` stores and prints with --json."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from dtbench.harness.store.share_types import EstimateFigures

TextBy = Literal["a", "b"]
"""Whose greedy answers the texts are."""
SwapPart = Literal["router", "experts", "attention", "mlp", "layer", "outside"]
SegmentName = Literal["clip", "question", "chain", "answer"]


class ProbedAnswer(TypedDict):
    """A line of the answers of one model: what it wrote to a question, greedily."""

    key: str
    """Task and id of the question."""
    text: str
    tokens: list[int]
    right: bool
    prompt: str
    """A hash of the tokens of the prompt, which both models have to share."""


class SwapMeasure(TypedDict):
    """A line of what was measured: one question with weights swapped."""

    swap: str
    """Part and layers; `a` and `b` for the models as they are."""
    key: str
    text: float | None
    """Mean log-probability of the tokens of B's text; null where B wrote nothing."""
    answer: float | None
    """Log-probability of the answer in B's text, all its tokens together; null where it has none."""
    right: bool | None
    """Whether the model's own greedy answer is right; null where none was generated."""


class DistanceFigures(TypedDict):
    """How far states are apart, as the mean over tokens."""

    cosine: float
    """1 - cosine."""
    relative_l2: float
    """The length of the difference over the length of A's state."""
    normed_cosine: float
    """1 - cosine behind the last norm, of each model its own."""
    trimmed_cosine: float
    """1 - cosine without A's largest dimensions, five at most."""
    cka: float | None
    """1 - linear CKA over tokens of all questions; null where the states of a model do not differ."""


class DriftFigures(DistanceFigures):
    """The drift of a layer in a segment."""

    text: TextBy
    layer: int
    """From 0, as in the names of weights; -1 for what enters layer 0."""
    segment: SegmentName
    tokens: int
    null: NotRequired[dict[str, DistanceFigures]]
    """The same of A against itself in other numerics; of B's texts alone."""
    control: NotRequired[DistanceFigures]
    """The same of the control against A, at the same tokens; absent without a control."""


class RoutingNull(TypedDict):
    """What numerics alone, or the control, do to the routing of A."""

    load_divergence: float | None
    overlap: float
    changed: float


class RoutingFigures(RoutingNull):
    """The routing of a layer in a segment, at the same tokens."""

    text: TextBy
    layer: int
    segment: SegmentName
    tokens: int
    entropy_a: float
    """Mean entropy of the probabilities of experts in A, in bits."""
    entropy_b: float
    null: NotRequired[dict[str, RoutingNull]]
    """The same of A against itself in other numerics; of B's texts alone."""
    control: NotRequired[RoutingNull]
    """The same of the control against A; absent without a control."""


class SwapEffects(TypedDict):
    """What weights of another model do in A."""

    text_logprob: float | None
    """Mean log-probability of a token of B's texts; null where B wrote nothing."""
    answer_logprob: float | None
    """Mean log-probability of the answers in B's texts; null where none has one."""
    accuracy: float | None
    """Of the model's own greedy answers; null where none were generated."""
    text_share: EstimateFigures
    """The part's share of what all of B changes in `text_logprob`; null where B changes nothing."""
    answer_share: EstimateFigures
    accuracy_share: EstimateFigures


class SwapFigures(SwapEffects):
    """What weights of B do in A."""

    part: SwapPart
    first: int
    """The first of the layers."""
    last: int
    weights: int
    """How many were swapped."""
    control: NotRequired[SwapEffects]
    """What the same weights of the control do, as shares of what all of B changes; absent without a control."""


class ProbedSide(TypedDict):
    """One of the two models, as it is."""

    model: dict[str, Any]
    """As run.json describes it."""
    text_logprob: float | None
    answer_logprob: float | None
    accuracy: float


class StatesVerdict(TypedDict):
    """The answer to the question of which part matters."""

    part: SwapPart | Literal["undecided", "nothing", "not measured", "as the control"]
    """`undecided` where the intervals of the two largest overlap; `nothing` where B gives its texts as A does; `as the
    control` where the largest part is not above the same part of the control."""
    text: str
    """In a sentence."""


class ShownStates(TypedDict):
    """Where the results of a probe come from."""

    tasks: list[str]
    questions: int
    null_questions: int
    """Of these, with how many the null of numerics was computed."""
    layers: int
    experts: int
    """Of a layer; 0 for a dense model."""
    top_k: int


class StatesProbe(ShownStates):
    """What `dtbench probe states` found."""

    schema: int
    a: ProbedSide
    b: ProbedSide
    control: NotRequired[ProbedSide]
    """Absent without a control."""
    verdict: StatesVerdict
    lacks: list[str]
    """What the models do not have, so that it is not measured."""
    moved_experts: list[int]
    """Layers whose experts have changed places: they are compared by what they are."""
    moved_in_control: NotRequired[list[int]]
    """The same of the control; absent without one."""
    nulls: dict[str, str]
    """Name of a null of numerics -> how it was computed."""
    drift: list[DriftFigures]
    routing: list[RoutingFigures]
    swaps: list[SwapFigures]
    seconds: float
