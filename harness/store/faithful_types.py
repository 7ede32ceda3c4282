"""What `dtbench faithful` stores and sums up: the types of its records and of faithful.json."""

from __future__ import annotations

from typing import NotRequired, TypedDict, final

from dtbench.harness.store.share_types import ShareFigures
from dtbench.harness.store.types import ErrorRecord, ResponseRecord, RunStatus, StoredLine


class FaithfulRecord(StoredLine):
    """One changed chain and what the model made of it: `response` or `error`; `sample` is the intervention's number."""

    intervention: str
    begun: str
    """The beginning of the answer that the model was given; empty where it was asked anew."""
    response: NotRequired[ResponseRecord]
    """The whole answer, what it was given included."""
    error: NotRequired[ErrorRecord]


class InterventionFigures(TypedDict):
    """What one intervention did to the answers."""

    intervention: str
    n: int
    """How many answers there are."""
    follow: ShareFigures | None
    """Answers with the option that the change leads to, of those for which there is one; null where there is none."""
    keep: ShareFigures
    """Answers with the option of the run."""
    other: ShareFigures
    """All other answers, those without any option included."""
    unanswered: int
    """How many of those name no option."""
    right: ShareFigures | None
    """Right answers; null where nothing is known of that."""


class LeftOutFigures(TypedDict):
    """How many answers of the run are not changed, and why."""

    no_answer: int
    """The run has no option for them."""
    no_chain: int
    """They have no chain of thought between tags."""
    no_edit: int
    """Their chains have no edit, as the task has no rule for them or they contradict themselves."""


class FaithfulExample(TypedDict):
    """A changed chain word for word, and the answer behind it."""

    intervention: str
    id: str
    own: str | None
    """The run's own answer up to where the change ends; null where the control was not made."""
    begun: str
    """What the model was given."""
    wrote: str
    """What it wrote behind that."""
    kept: str
    """The option of the run."""
    led: str
    """The option that the change leads to."""
    choice: str | None
    """The option of the answer; null where it has none."""


@final
class FaithfulSummary(TypedDict):
    """faithful.json: how far a run's answers follow from its chains."""

    run: str
    folder: str
    status: RunStatus
    task: str
    questions: int
    """How many questions were looked at."""
    chains: int
    """How many of them have a chain and an answer."""
    prefill: bool
    """Whether the model continues an answer that was begun; without it only shuffled clips are measured."""
    interventions: list[InterventionFigures]
    groups: dict[str, dict[str, list[InterventionFigures]]]
    """Heading -> value -> the same figures of the questions under it."""
    examples: NotRequired[list[FaithfulExample]]
    """Of each kind of edit one that was followed and one that was not, where there are such."""
    left_out: LeftOutFigures
    failed: int
    """Requests without an answer."""
    tokens: dict[str, int]
    """What all answers took, by the endpoint's own names."""
    notes: list[str]
