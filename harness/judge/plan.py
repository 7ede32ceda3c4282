"""What is judged: the chains of a run whose answers are right by the benchmark's own rule."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import Prompt
from dtbench.harness.judge.criteria import Rubric, has_rubric, rubric_of
from dtbench.harness.judge.wording import Wording
from dtbench.harness.score.answers import SubmittedAnswer, answers
from dtbench.harness.score.stored_run import StoredTask

CHARACTERS_A_TOKEN = 4
TOKENS_A_MARK = 60
"""What a judge writes for each criterion, about."""


class Case(NamedTuple):
    """One chain, and what it is held against."""

    said: SubmittedAnswer
    rubric: Rubric
    right: bool
    """By the benchmark's own rule; a wrong answer has 0 marks and is not shown to the judge."""

    @property
    def id(self) -> str:
        """The question's."""
        return self.said.sample.id


class Estimate(NamedTuple):
    """What judging will take, about."""

    calls: int
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSettings:
    """How chains are judged."""

    wording: Wording
    calls: int = 5
    """How often the judge is asked about each."""
    seed: int = 42
    sample: int = 0
    """Of a run with several answers to a question: which."""
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class JudgePlan:
    """Every question that was asked, in the order of the data."""

    cases: Sequence[Case]
    how: JudgeSettings

    def prompt(self, case: Case, call: int, attempt: int) -> Prompt:
        """The request of one call; one whose reply could not be read is asked with another seed."""
        sample, said = case.said.sample, case.said
        text = self.how.wording.about(sample.question, sample.answer or "", case.rubric, said.thinking, said.choice)
        seed = self.how.seed + 1000 * attempt
        return Prompt(text, sample.audio, system=self.how.wording.system, id=sample.id, repeat=call, seed=seed)

    def missing(self, finished: Iterable[tuple[str, int]]) -> list[tuple[Case, int]]:
        """The calls that are still to be made."""
        done = set(finished)
        return [
            (case, call)
            for case in self.cases
            if case.right
            for call in range(self.how.calls)
            if (case.id, call) not in done
        ]

    def estimate(self, missing: Sequence[tuple[Case, int]]) -> Estimate:
        """How many calls and tokens these are, about."""
        lengths = {id(case): len(self.prompt(case, 0, 0).text) for case, _ in missing}
        fixed = len(self.how.wording.system or "")
        characters = sum(lengths[id(case)] + fixed for case, _ in missing)
        written = sum(TOKENS_A_MARK * len(case.rubric.criteria) for case, _ in missing)
        return Estimate(len(missing), characters // CHARACTERS_A_TOKEN, written)

    def fingerprint(self) -> str:
        """Twelve digits that differ where other chains, answers or criteria are judged."""
        digest = hashlib.sha256()
        for case in self.cases:
            said = case.said
            row = (case.id, said.thinking, said.choice, case.right, case.rubric)
            digest.update(repr(row).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:12]


def plan_of(stored: StoredTask, data: Dataset, how: JudgeSettings) -> JudgePlan:
    """The plan for a task of a run; a UserError where its questions have no criteria."""
    asked = [one for one in answers(stored, data, how.sample) if one.state != "missing"][: how.limit]
    with_rubric = [one for one in asked if has_rubric(one.sample)]
    if not with_rubric:
        raise UserError(
            f"{stored.task.name}: its questions ({data.version}) have no criteria to judge by: MMAR v2 has, and any "
            f"task whose items hold `rubric`."
        )
    rule = stored.task.official(stored.task.official_versions[0])
    cases = [
        Case(one, rubric_of(one.sample), rule(one.sample.as_published(), one.submission).correct) for one in with_rubric
    ]
    return JudgePlan(cases, how)
