"""Judge the chains of right answers by the criteria of each question."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import Prompt
from dtbench.harness.core.scorer import Scorer
from dtbench.harness.judge.calibrate import KINDS, calibration_chains
from dtbench.harness.judge.rubric_case import RubricCase
from dtbench.harness.judge.scorer import CaseChoice, JudgeScorer, JudgeSummaryParts, KnownCase
from dtbench.harness.judge.summary import summarise_marks
from dtbench.harness.judge.verdict import read_judge_verdict
from dtbench.harness.judge.wording import DEFAULT_WORDING, MARKS, NEEDED, Wording
from dtbench.harness.score.criteria import has_rubric, rubric_of
from dtbench.harness.score.stored_run import StoredTask, submitted_answers
from dtbench.harness.store.judged_types import JudgeRecord, VerdictRecord

RUBRIC = "rubric"
TOKENS_A_MARK = 60
"""What a judge writes for each criterion, roughly."""


class RubricScorer(JudgeScorer[RubricCase]):
    """Scores reasoning chains against the criteria of each question."""

    calls = 5
    kinds = KINDS
    every_repeat = False
    judged = "the reasoning, answer or criteria"
    form = "in JSON"

    def __init__(self, wording: Wording = DEFAULT_WORDING) -> None:
        self.name = RUBRIC
        if wording.source:
            wording.refuse_without(NEEDED, MARKS)
        self.wording = wording

    def cases(self, stored: StoredTask, data: Dataset, choice: CaseChoice) -> Sequence[RubricCase]:
        """Return the chains of the questions that have criteria; a UserError where none has."""
        answers = [one for one in submitted_answers(stored, data, choice.sample) if one.state != "missing"]
        with_rubric = [one for one in answers[: choice.limit] if has_rubric(one.sample)]
        if not with_rubric:
            raise UserError(
                f"{stored.task.name}: its questions ({data.version}) have no criteria to judge by: MMAR v2 has, and "
                f"any task whose items hold `rubric`. --scorer same-answer asks whether answers are right."
            )
        rule = stored.task.official(stored.task.official_versions[0])
        return [
            RubricCase(one, rubric_of(one.sample), rule(one.sample.as_published(), one.submission).correct)
            for one in with_rubric
        ]

    def prompt(self, case: RubricCase) -> Prompt:
        """Return the request about a chain."""
        sample, answer = case.answer.sample, case.answer
        text = self.wording.about(sample.question, sample.answer or "", case.rubric, answer.thinking, answer.choice)
        return Prompt(text, system=self.wording.system, id=sample.id)

    def tokens(self, case: RubricCase) -> int:
        """Return roughly how many tokens a reply has."""
        return TOKENS_A_MARK * len(case.rubric.criteria)

    def read(self, text: str, case: RubricCase) -> VerdictRecord:
        """Read a mark for each criterion."""
        verdict = read_judge_verdict(text, case.rubric.criteria)
        names = [criterion.name for criterion in case.rubric.criteria]
        marks = dict(zip(names, verdict.marks, strict=True))
        return {"marks": {**marks}, "why": dict(zip(names, verdict.why, strict=True)), "share": verdict.share}

    def known(self, cases: Sequence[RubricCase]) -> Sequence[KnownCase[RubricCase]]:
        """Compose chains of the criteria themselves."""
        return calibration_chains(cases)

    def summarise(
        self, task: Scorer, cases: Sequence[RubricCase], calls: int, records: Iterable[JudgeRecord]
    ) -> JudgeSummaryParts:
        """Sum up the marks of a task."""
        figures = summarise_marks(task, cases, calls, records)
        return JudgeSummaryParts(figures, figures["unscored"], figures["n"])
