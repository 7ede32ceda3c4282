"""Take the option that an answer is nearest to, by the vectors of an embedding model.

It always takes one, also of an answer that says nothing or refuses: what a reader would say stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.marks import TaskScorer
from dtbench.harness.core.model import Model
from dtbench.harness.core.schema import Prompt
from dtbench.harness.core.scorer import Scorer
from dtbench.harness.core.typed_settings import read_options
from dtbench.harness.judge.answer_case import AnswerCase, answer_cases
from dtbench.harness.judge.answer_summary import summarise_answers
from dtbench.harness.judge.known_answers import KINDS, known_answers
from dtbench.harness.judge.scorer import CaseChoice, JudgeScorer, JudgeSummaryParts, KnownCase
from dtbench.harness.judge.verdict import UnreadableError, json_values
from dtbench.harness.judge.wording import Wording
from dtbench.harness.score.stored_run import StoredTask
from dtbench.harness.store.judged_types import JudgeRecord, VerdictRecord

EMBEDDING = "embedding"
KNOWN_KINDS = ("gold", "sentence", "other")


class EmbeddingScorer(JudgeScorer[AnswerCase]):
    """Marks an answer as right where the option nearest to it is the right one; of equals, the first counts."""

    kinds: ClassVar[Mapping[str, str]] = {kind: KINDS[kind] for kind in KNOWN_KINDS}
    form = "with a vector for each text"

    def __init__(self, scorer: TaskScorer | None = None) -> None:
        self.name = EMBEDDING if scorer is None else scorer.name
        self.wording = Wording(None, "{response}")
        self._scorer = scorer
        self.awaited = scorer is not None
        self.model = "" if scorer is None else str(scorer.options.get("model", ""))

    def connect(self, base_url: str, model: str | None, options: Mapping[str, str]) -> Model:
        """Return the embedding model behind an endpoint."""
        from dtbench.models.endpoint.embeddings import EmbeddingServer
        from dtbench.models.endpoint.settings import EndpointSettings

        settings = read_options(EndpointSettings, options, "an embedding model", defaults={"model": model})
        return EmbeddingServer.connect(base_url, settings)

    def cases(self, stored: StoredTask, data: Dataset, choice: CaseChoice) -> Sequence[AnswerCase]:
        """Return every answer to a question with options."""
        found = [one for one in answer_cases(stored, data, choice, self._scorer) if len(one.sample.choices) > 1]
        if not found:
            raise UserError(f"{stored.task.name}: its questions have no options, so no answer is nearest to one.")
        return found

    def prompt(self, case: AnswerCase) -> Prompt:
        """Return the answer and the options."""
        return Prompt(case.text, id=case.id, choices=case.sample.choices)

    def tokens(self, case: AnswerCase) -> int:
        """Return 0: vectors are no tokens."""
        return 0

    def read(self, text: str, case: AnswerCase) -> VerdictRecord:
        """Take the nearest option, by the similarity of each."""
        choices = case.sample.choices
        near = next((one for one in json_values(text) if isinstance(one, list) and len(one) == len(choices)), None)
        if near is None:
            raise UnreadableError(f"it has no similarity for each of {len(choices)} options")
        place = max(range(len(choices)), key=lambda place: (near[place], -place))
        mark = float(choices[place] == case.sample.answer)
        why = f"nearest to {choices[place]!r} ({near[place]:.3f})"
        return {"marks": {self.name: mark}, "why": {self.name: why}, "share": mark}

    def known(self, cases: Sequence[AnswerCase]) -> Sequence[KnownCase[AnswerCase]]:
        """Answer the questions rightly and wrongly."""
        return known_answers(cases, self.name, KNOWN_KINDS)

    def summarise(
        self, task: Scorer, cases: Sequence[AnswerCase], calls: int, records: Iterable[JudgeRecord]
    ) -> JudgeSummaryParts:
        """Sum up how many answers are nearest to the right option."""
        figures = summarise_answers(task, self.name, cases, calls, records, unreadable_is_wrong=False)
        return JudgeSummaryParts(figures, figures["unscored"], figures["n"])
