"""Judge whether the answers of a run are right, or how good they are: in the authors' words, or ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.marks import TaskScorer
from dtbench.harness.core.schema import Prompt
from dtbench.harness.core.scorer import Scorer
from dtbench.harness.judge.answer_case import AnswerCase, answer_cases
from dtbench.harness.judge.answer_summary import summarise_answers
from dtbench.harness.judge.answer_words import NEEDED, ask_about, words_of
from dtbench.harness.judge.known_answers import KINDS, known_answers
from dtbench.harness.judge.replies import names_of, read_answer_verdict
from dtbench.harness.judge.scorer import CaseChoice, JudgeScorer, JudgeSummaryParts, KnownCase
from dtbench.harness.judge.wording import Wording
from dtbench.harness.score.scorers.judging import JUDGE_FIELDS, JudgeRule
from dtbench.harness.score.stored_run import StoredTask
from dtbench.harness.store.judged_types import JudgeRecord, VerdictRecord

SAME_ANSWER = "same-answer"
TOKENS_A_WORD = 10
TOKENS_A_SCORE = 60
"""What a judge writes of an answer, roughly."""


class SameAnswerScorer(JudgeScorer[AnswerCase]):
    """Asks a judge about each answer by the rule of a task's scorer; without one, whether it is right."""

    kinds = KINDS

    def __init__(self, scorer: TaskScorer | None = None, wording: Wording | None = None) -> None:
        self.name = SAME_ANSWER if scorer is None else scorer.name
        self._scorer = scorer
        self.awaited = scorer is not None
        self._rule = JudgeRule.of({} if scorer is None else scorer.options)
        self.model = self._rule.model
        self.wording = words_of(self._rule)
        self._own = wording is None and not self._rule.prompt
        if wording is not None:
            wording.refuse_without(NEEDED, JUDGE_FIELDS)
            self.wording = wording
        self.form = f"with {' or '.join(filter(None, names_of(self._rule)))}"

    @property
    def rule(self) -> Mapping[str, Any]:
        """How replies are read and counted."""
        return self._rule.as_json()

    @property
    def sampling(self) -> Mapping[str, Any]:
        """The authors' sampling; temperature 0 where they do not say."""
        return {"temperature": 0.0, **self._rule.sampling}

    def cases(self, stored: StoredTask, data: Dataset, choice: CaseChoice) -> Sequence[AnswerCase]:
        """Return every answer that the scorer is for."""
        return answer_cases(stored, data, choice, self._scorer)

    def prompt(self, case: AnswerCase) -> Prompt:
        """Return the request about an answer."""
        return ask_about(case, self.wording, own=self._own)

    def tokens(self, case: AnswerCase) -> int:
        """Return roughly how many tokens a reply has."""
        return TOKENS_A_WORD if self._rule.scale is None else TOKENS_A_SCORE * max(1, len(self._rule.scores))

    def read(self, text: str, case: AnswerCase) -> VerdictRecord:
        """Read the mark of an answer."""
        verdict = read_answer_verdict(text, self._rule)
        return {"marks": {self.name: verdict.mark}, "why": {self.name: verdict.why}, "share": verdict.mark}

    def known(self, cases: Sequence[AnswerCase]) -> Sequence[KnownCase[AnswerCase]]:
        """Answer the questions rightly and wrongly."""
        return known_answers(cases, self.name, list(KINDS))

    def summarise(
        self, task: Scorer, cases: Sequence[AnswerCase], calls: int, records: Iterable[JudgeRecord]
    ) -> JudgeSummaryParts:
        """Sum up the marks of the answers."""
        wrong = self._rule.unreadable == "wrong"
        figures = summarise_answers(task, self.name, cases, calls, records, unreadable_is_wrong=wrong)
        return JudgeSummaryParts(figures, figures["unscored"], figures["n"])
