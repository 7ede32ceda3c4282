"""The types of what `make claims` keeps of a training, and of what it says of a claim."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from dtbench.harness.store.measure_types import RunMeasures


class AnswerColumns(TypedDict):
    """What each answer of a run is worth, in the order of the questions; null for what is not measured of the run.

    But for `right`, a column has a byte a question, deflated, as base64.
    """

    right: str
    """A bit a question, as hexadecimal digits: whether the answer is right; the first question is the highest bit."""
    formed: str | None
    """Whether the answer has the form of the training to the letter."""
    cut: str | None
    """Whether the answer or its chain was cut at a limit of tokens."""
    words: str | None
    """The words of its chain, at most 255."""
    criteria: str | None
    """How many of the task's criteria its chain meets; null where the task checks no chains."""
    followed: str | None
    """0 where no edited chain was continued, 1 where the answer did not follow the edit, 2 where it did."""


class EvaluatedRun(TypedDict):
    """The answers of one model to one task."""

    name: str
    """The stage; of the base `base` or `base, PROMPT`; with `, shuffled clips` behind it where clips were."""
    task: str
    asked: int
    """So many questions, the first of the task."""
    failed: int
    """Of these, requests that failed: they count as wrong answers without a chain."""
    questions: str
    """Digest of their ids and groups."""
    columns: AnswerColumns
    measures: RunMeasures | None
    """Of all answers and by groups; null for descriptions."""


class StageSteps(TypedDict):
    """The course of the training of a stage."""

    stage: str
    steps: list[int]
    """At most 30 of them, evenly spread."""
    reward: list[float | None]
    completion_length: list[float | None]
    kl: list[float | None]
    accuracy: NotRequired[list[float | None]]
    """The share of rollouts that are right, the mean of the steps since the one before; null where no reward asks."""


class ChainExample(TypedDict):
    """An answer word for word."""

    run: str
    id: str
    question: str
    answer: str
    """The right option."""
    text: str
    """What the model wrote."""
    right: bool


class ResultProvenance(TypedDict):
    """With what a training was made."""

    dtbench: str
    commit: str | None
    dirty: bool | None
    finished: str
    """The time of its end, UTC."""
    seconds: float
    """From its first start to its end, without the pauses between starts."""
    cores: int


class TrainedResult(TypedDict):
    """What is kept of a finished training of one arm and seed, or of the untrained model."""

    schema: int
    recipe: str
    arm: str
    """`recipe` for the recipe's own stages, `base` for the untrained model."""
    seed: int
    recipe_digest: str
    """Of all settings that its answers depend on."""
    base: str
    """Digest of the weights that it started from."""
    data: str
    """Digest of the questions that it could learn from."""
    runs: list[EvaluatedRun]
    steps: list[StageSteps]
    examples: list[ChainExample]
    made: ResultProvenance


class ClaimResult(TypedDict):
    """What came out of a claim."""

    recipe: str
    name: str
    text: str
    primary: bool
    verdict: Literal["met", "refuted", "undecided"]
    why: str
    """Why it is undecided where seeds or answers are missing; else empty."""
    measure: str
    task: str
    group: str | None
    between: list[str]
    at_least: float
    seeds: list[int]
    """Those that both sides have."""
    seeds_wanted: int
    questions: int
    """Those of the group, that both sides were asked."""
    smallest: float
    """The smallest difference that this design sees four times in five, by the noise assumed beforehand."""
    first: float | None
    second: float | None
    difference: float | None
    low: float | None
    high: float | None
    by_seed: list[float]
    """The difference of each seed."""
