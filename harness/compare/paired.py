"""Two runs of one task, joined question by question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from dtbench.harness.compare.fairness import Confounder, differences
from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.options import Option
from dtbench.harness.score.outcomes import Answer, Outcomes
from dtbench.harness.stats.paired import Bounds, PairedShares, bounds, holm, mcnemar, visible
from dtbench.harness.store.run_folder import StoredRun

Score = Literal["official", "strict"]
SCORES = ("official", "strict")
ScoreName = Annotated[str, Option("--score", "S", "official, or strict (a careful reader's).")]
SharedTask = Annotated[str | None, Option("--task", "NAME", "Only this task of the runs.")]
TAIL = 0.025
Groups = Mapping[str, str]


class PairedQuestion(NamedTuple):
    """One question of both runs, all its repeats together."""

    id: str
    before: float
    after: float
    choices: tuple[str | None, str | None]
    """What was chosen, by the first repeat of each."""
    groups: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PairedRuns:
    """What both runs have answered, and what keeps their difference from being fair."""

    task: str
    score: Score
    questions: Sequence[PairedQuestion]
    clusters: Mapping[str, int]
    """Which questions share a clip."""
    unfair: Sequence[Confounder]
    only_before: int
    only_after: int
    """Questions that only one of them has an answer to, failures counted as none."""
    failed: tuple[int, int]
    expected: tuple[int, int]
    """How many answers each run should have."""
    answered: tuple[int, int]

    def pairs(self, questions: Iterable[PairedQuestion] | None = None) -> list[PairedShares]:
        """As tests and intervals take them."""
        chosen = self.questions if questions is None else questions
        return [PairedShares(one.before, one.after, str(self.clusters.get(one.id, one.id))) for one in chosen]


def join_tasks(before: StoredRun, after: StoredRun, only: str | None, score: str) -> list[PairedRuns]:
    """Join the tasks that both runs hold, or the one that is named; a UserError where there is none."""
    if score not in SCORES:
        raise UserError(f"--score {score}: unknown. {did_you_mean(score, SCORES)}")
    here, there = (list(run.info.get("tasks", {})) for run in (before, after))
    shared = [name for name in here if name in there and only in {None, name}]
    if not shared:
        what = "have no task in common" if only is None else f"do not both hold the task {only}"
        raise UserError(f"{before.path} ({', '.join(here)}) and {after.path} ({', '.join(there)}) {what}.")
    return [joined(before, after, name, score) for name in shared]  # type: ignore[arg-type]


def joined(before: StoredRun, after: StoredRun, task: str, score: Score) -> PairedRuns:
    """The task of both runs, by question."""
    one, other = _by_question(before, task), _by_question(after, task)
    both = [id_ for id_ in one if id_ in other]
    about = (before.info["tasks"][task], after.info["tasks"][task])
    return PairedRuns(
        task=task,
        score=score,
        questions=[_question(id_, one[id_], other[id_], score) for id_ in both],
        clusters=about[0].get("shared_clips") or {},
        unfair=differences(before.info, after.info, task),
        only_before=len(one) - len(both),
        only_after=len(other) - len(both),
        failed=(_failed(before, task), _failed(after, task)),
        expected=(_expected(about[0]), _expected(about[1])),
        answered=(sum(map(len, one.values())), sum(map(len, other.values()))),
    )


def _expected(about: Mapping[str, Any]) -> int:
    return int(about.get("questions", 0)) * int(about.get("samples", 1))


def _by_question(run: StoredRun, task: str) -> dict[str, list[Answer]]:
    outcomes = Outcomes()
    for record in run.records(task):
        outcomes.add(record)
    found: dict[str, list[Answer]] = {}
    for answer in outcomes.answers():
        if answer.outcome.failed is None:
            found.setdefault(answer.id, []).append(answer)
    return {id_: sorted(answers, key=lambda answer: answer.sample) for id_, answers in sorted(found.items())}


def _failed(run: StoredRun, task: str) -> int:
    return sum("error" in record for record in run.records(task))


def _question(id_: str, before: Sequence[Answer], after: Sequence[Answer], score: Score) -> PairedQuestion:
    return PairedQuestion(
        id_,
        _right(before, score),
        _right(after, score),
        (before[0].choice, after[0].choice),
        before[0].outcome.groups,
    )


def _right(answers: Sequence[Answer], score: Score) -> float:
    right = [a.outcome.official.correct if score == "official" else a.outcome.correct is True for a in answers]
    return sum(right) / len(right)


def compared(joined: PairedRuns, *, tail: float = TAIL) -> dict[str, Any]:
    """The difference, how sure it is, by group, and the questions that went either way."""
    groups = _groups(joined, tail)
    gained = [one for one in joined.questions if one.after > one.before]
    lost = [one for one in joined.questions if one.after < one.before]
    flips = (len(gained) + len(lost)) / len(joined.questions) if joined.questions else 0.0
    clusters = len({pair.cluster for pair in joined.pairs()})
    return {
        "task": joined.task,
        "score": joined.score,
        "unfair": [one._asdict() for one in joined.unfair],
        "n": len(joined.questions),
        "only_before": joined.only_before,
        "only_after": joined.only_after,
        "failed": list(joined.failed),
        **_of(joined, joined.questions, tail),
        "visible": visible(clusters, flips),
        "groups": groups,
        "gained": [_flip(one) for one in gained],
        "lost": [_flip(one) for one in lost],
    }


def _of(joined: PairedRuns, questions: Sequence[PairedQuestion], tail: float) -> dict[str, Any]:
    pairs = joined.pairs(questions)
    found: Bounds = bounds(pairs, tail)
    gained = sum(pair.after > pair.before for pair in pairs)
    lost = sum(pair.after < pair.before for pair in pairs)
    count = len(pairs)
    return {
        "before": sum(pair.before for pair in pairs) / count if count else None,
        "after": sum(pair.after for pair in pairs) / count if count else None,
        **found._asdict(),
        "better": gained,
        "worse": lost,
        "p": mcnemar(gained, lost),
    }


def _groups(joined: PairedRuns, tail: float) -> list[dict[str, Any]]:
    parts: dict[tuple[str, str], list[PairedQuestion]] = {}
    for one in joined.questions:
        for group in one.groups:
            parts.setdefault(group, []).append(one)
    rows = [
        {"heading": heading, "value": value, "n": len(part), **_of(joined, part, tail)}
        for (heading, value), part in parts.items()
        if len(part) < len(joined.questions)
    ]
    # A heading's values are looked at together, and so are all headings: each look is one more chance to be fooled.
    for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_adjusted"] = p
    return sorted(rows, key=lambda row: (row["heading"],))


def _flip(one: PairedQuestion) -> dict[str, Any]:
    return {"id": one.id, "before": one.choices[0], "after": one.choices[1]}
