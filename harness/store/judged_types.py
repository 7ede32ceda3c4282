"""What `dtbench judge` stores and sums up: the types of its records and of its summary.json."""

from __future__ import annotations

from typing import NotRequired, TypedDict, final

from dtbench.harness.store.share_types import ShareFigures
from dtbench.harness.store.types import ErrorRecord, ResponseRecord, RunStatus, StoredLine


class VerdictRecord(TypedDict):
    """A judge's marks, by criterion; where it judges answers, one mark from 0 to 1."""

    marks: dict[str, int | float]
    why: dict[str, str]
    share: float
    """The share of criteria that are met; of an answer, its mark."""


class JudgeRecord(StoredLine):
    """One call of a judge: `verdict` or `error`."""

    chain_hash: NotRequired[str]
    """Differs where what was judged does: the chain, the answer after it, the question or the criteria."""
    repeat: NotRequired[int]
    """Where every answer to a question is judged: which of them."""
    answer_hash: NotRequired[str]
    """Differs where the response that holds the judged answer does."""
    response: NotRequired[ResponseRecord]
    verdict: NotRequired[VerdictRecord]
    attempts: NotRequired[int]
    error: NotRequired[ErrorRecord]


class JudgedFigures(TypedDict):
    """Rubrics and accuracy in percent; without `rubrics`, what the total lies between."""

    rubrics: float | None
    between: NotRequired[list[float]]
    low: NotRequired[float]
    high: NotRequired[float]
    accuracy: float | None


class JudgedGroup(JudgedFigures):
    """The questions under one value of a heading."""

    n: int


class AgreementFigures(TypedDict):
    """How far the calls of a judge agree."""

    pairs: float
    unanimous: float
    marks: int


class KindFigures(TypedDict):
    """Made chains of one kind, whose marks are known."""

    what: str
    marks: int
    as_known: float | None
    given: float | None
    known: float | None


class JudgeSpending(TypedDict):
    """What a judge took, over all starts and attempts."""

    tokens: dict[str, int]
    """Of every reply, also of those that no verdict could be read from, by the endpoint's own names."""
    replies: NotRequired[int]
    unreadable_replies: NotRequired[int]
    """Replies that no verdict could be read from."""
    failed_calls: NotRequired[int]
    """Calls without any reply."""


class JudgeHead(JudgeSpending):
    """What was judged, and what it took."""

    run: str
    judge: str
    status: RunStatus
    price: NotRequired[float]
    notes: NotRequired[list[str]]


class JudgeFigures(JudgedFigures):
    """The marks of a run's chains."""

    task: str
    n: int
    right: int
    calls: int
    unscored: int
    unscored_ids: list[str]
    unscored_why: dict[str, str]
    """Of the ids that are listed."""
    unscored_reasons: NotRequired[dict[str, int]]
    """Of all: how many questions lack their marks for which reason."""
    without_chain: int
    groups: dict[str, dict[str, JudgedGroup]]
    agreement: AgreementFigures | None


@final
class JudgeSummary(JudgeFigures, JudgeHead):
    """summary.json of a judge."""


class MarkedFigures(TypedDict):
    """The mean mark of answers in percent; without `score`, what it lies between."""

    score: float | None
    between: NotRequired[list[float]]
    low: NotRequired[float]
    high: NotRequired[float]


class AnswerGroup(MarkedFigures):
    """The answers under one value of a heading."""

    n: int


class AnswerFigures(MarkedFigures):
    """The marks of a run's answers."""

    task: str
    scorer: str
    n: int
    """How many answers there are; those that failed are none."""
    calls: int
    empty: int
    """Answers of no words, which nobody is asked about and which have no mark."""
    unreadable_as_wrong: int
    """Replies that could not be read, where the authors count such an answer as wrong."""
    unscored: int
    unscored_ids: list[str]
    unscored_why: dict[str, str]
    """Of the ids that are listed."""
    unscored_reasons: dict[str, int]
    """Of all: how many answers lack their mark for which reason."""
    groups: dict[str, dict[str, AnswerGroup]]
    agreement: AgreementFigures | None


@final
class AnswerSummary(AnswerFigures, JudgeHead):
    """summary.json of a judge of answers."""


class JudgeCalibration(TypedDict):
    """How a judge marked made chains."""

    chains: int
    unread: int
    marks: ShareFigures
    kinds: dict[str, KindFigures]


@final
class CalibrationSummary(JudgeCalibration, JudgeHead):
    """summary.json of a judge that was calibrated."""
