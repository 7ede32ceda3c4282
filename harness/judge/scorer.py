"""What a judge is asked: a scorer has the cases, the words, the reading of replies, known cases, and a summary."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.model import Model
from dtbench.harness.core.schema import Prompt
from dtbench.harness.core.scorer import Scorer
from dtbench.harness.core.typed_settings import read_options
from dtbench.harness.judge.wording import Wording
from dtbench.harness.score.stored_run import StoredTask
from dtbench.harness.store.jsonl import Key
from dtbench.harness.store.judged_types import JudgeRecord, VerdictRecord

UNREADABLE = "unreadable"
"""The kind of error of a reply that no verdict can be read from."""


class JudgedCase(Protocol):
    """One answer that a judge is asked about."""

    @property
    def id(self) -> str:
        """The id of the question."""
        ...

    @property
    def repeat(self) -> int:
        """Which of several answers to the question it is; 0 where run.json says that."""
        ...

    @property
    def asked(self) -> bool:
        """Whether the judge is asked; what is not asked has no marks."""
        ...

    @property
    def hash(self) -> str:
        """Twelve digits that differ where what is judged does."""
        ...

    @property
    def row(self) -> tuple[Any, ...]:
        """All that a verdict depends on, but for the judge."""
        ...

    def key(self, call: int) -> Key:
        """Return the key of the record of one call."""
        ...

    def fields(self) -> Mapping[str, Any]:
        """Return what the record of a call says of the case beside its key and hash."""
        ...


CaseT = TypeVar("CaseT", bound=JudgedCase)


class KnownCase(NamedTuple, Generic[CaseT]):
    """A made case and the marks that it should get."""

    kind: str
    case: CaseT
    expected: Mapping[str, float]
    """By name of the mark."""


class CaseChoice(NamedTuple):
    """Which answers of a run are judged."""

    limit: int | None
    sample: int
    """Of several answers to a question: which, for a scorer that judges one."""


class JudgeSummaryParts(NamedTuple):
    """The figures of a scorer, and how many cases have no verdict, of how many."""

    figures: Mapping[str, Any]
    without: int
    judged: int


class JudgeScorer(ABC, Generic[CaseT]):
    """A way to judge answers with a model behind an endpoint."""

    name: str
    wording: Wording
    """The words around each case."""
    calls: ClassVar[int] = 1
    """How often a case is judged where the user does not say."""
    kinds: ClassVar[Mapping[str, str]]
    """The kinds of known cases, and what each is."""
    every_repeat: ClassVar[bool] = True
    """Whether all answers to a question are judged; else the one that --sample names."""
    judged = "the answer, question or gold answer"
    """What verdicts depend on, for the message about a case that has changed."""
    awaited = False
    """Whether answers of the task wait for it, so that its marks count in the run's scores."""
    model = ""
    """The judge of a benchmark's authors, where they name one."""
    form = "as asked"
    """How a reply has to be, for the message about a judge that cannot be read."""

    @property
    def rule(self) -> Mapping[str, Any] | None:
        """How replies are read and counted, for the record; None where the scorer has one way."""
        return None

    @property
    def sampling(self) -> Mapping[str, Any]:
        """The settings of the judge where the user names none."""
        return {"temperature": 0.0}

    def connect(self, base_url: str, model: str | None, options: Mapping[str, str]) -> Model:
        """Return the judge behind an endpoint, with the settings of -M."""
        from dtbench.models.endpoint.server import Server
        from dtbench.models.endpoint.settings import EndpointSettings

        defaults = {**self.sampling, "model": model}
        return Server.connect(base_url, read_options(EndpointSettings, options, "a judge", defaults=defaults))

    @abstractmethod
    def cases(self, stored: StoredTask, data: Dataset, choice: CaseChoice) -> Sequence[CaseT]:
        """Return the cases of a run in the order of the data; a UserError where it has none."""

    @abstractmethod
    def prompt(self, case: CaseT) -> Prompt:
        """Return the request about a case."""

    @abstractmethod
    def tokens(self, case: CaseT) -> int:
        """Return roughly how many tokens a reply has."""

    @abstractmethod
    def read(self, text: str, case: CaseT) -> VerdictRecord:
        """Read the verdict in a reply; an UnreadableError where there is none."""

    @abstractmethod
    def known(self, cases: Sequence[CaseT]) -> Sequence[KnownCase[CaseT]]:
        """Make cases whose marks are known; a UserError where there are too few questions for it."""

    @abstractmethod
    def summarise(
        self, task: Scorer, cases: Sequence[CaseT], calls: int, records: Iterable[JudgeRecord]
    ) -> JudgeSummaryParts:
        """Sum up the verdicts of a task."""
