"""Pair two runs of one task question by question, compare them, and say what else differs between them.

A setting in which they differ is a confounder: their difference is then not the models' alone.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

from dtbench.harness.compare.made_with import made_differently, other_clips, refuse_other_prompt
from dtbench.harness.compare.matched_lengths import PairedChains, matched_length_figures
from dtbench.harness.compare.paired_questions import AnsweredQuestions, PairedQuestion, PairedQuestions
from dtbench.harness.core.errors import MachineryError, UserError, did_you_mean, one_line
from dtbench.harness.core.options import TESTS, Option
from dtbench.harness.extract.evidence import WEAKEST
from dtbench.harness.score.outcomes import Answer, AnswerOutcome, Outcomes
from dtbench.harness.score.waiting import WaitingAnswers, refuse_waiting
from dtbench.harness.stats.intervals import share
from dtbench.harness.stats.paired_tests import (
    TAIL,
    EffectiveTable,
    SharePairs,
    bounds,
    chance_of_equal,
    effective_table,
    holm,
)
from dtbench.harness.stats.power import minimum_detectable, questions_to_find
from dtbench.harness.store.comparison_types import Comparison, Flip, GroupComparison, PairedFigures
from dtbench.harness.store.identity import effective_model
from dtbench.harness.store.record_provenance import RecordProvenance
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.share_types import ShareFigures
from dtbench.harness.store.types import Record, RunInfo, as_fields

Score = Literal["official", "strict"]
SCORES = ("official", "strict")
ScoreName = Annotated[
    str,
    Option(
        "--score",
        "KIND",
        "official (the benchmark's own script) or strict (every item, no guess).",
        panel=TESTS,
        values=("official", "strict"),
    ),
]
SharedTask = Annotated[
    str | None, Option("--task", "TASK", "Only this benchmark of the runs.", shown="all", values="tasks")
]
EQUAL_WITHIN = 0.03
"""A difference that is surely smaller counts as none; one that may be larger takes more questions to tell."""
_SHOWN = 80
_OF_LOCAL = ("temperature", "top_p", "top_k", "min_p", "max_tokens", "repetition_penalty")
_OPEN = {"top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0}
"""Without effect; where they are not set, vLLM takes them from a checkpoint's generation_config.json."""
_IDLE = {"min_p": 0.0, "presence_penalty": 0.0, "frequency_penalty": 0.0, "n": 1}
"""Values without effect, the same as no setting."""


class Confounder(NamedTuple):
    """A setting in which two runs differ."""

    name: str
    """The word that `--allow` takes."""
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.name}: {self.before} vs {self.after}"


@dataclass(frozen=True, slots=True)
class PairedRuns:
    """The questions that both runs answered, and what else differs between the runs."""

    folders: tuple[str, str]
    task: str
    score: Score
    questions: PairedQuestions
    clusters: Mapping[str, int]
    """Which questions share a clip."""
    confounders: Sequence[Confounder]
    only_before: int
    only_after: int
    """Questions that only one of them has an answer to, failures counted as none."""
    failed: tuple[int, int]
    expected: tuple[int, int]
    """How many answers each run should have."""
    answered: tuple[int, int]
    also_differs: Sequence[Confounder] = ()
    """What else differs of how the runs were made; no reason to refuse them."""
    answers_each: tuple[int, int] = (1, 1)
    """How many answers each run has to a question."""

    def only(self, ids: Collection[str]) -> PairedRuns:
        """Return the same with these questions alone; the first run may have more."""
        return replace(self, questions=self.questions.among(ids), only_before=0)

    def with_questions(self, questions: PairedQuestions) -> PairedRuns:
        """Return the same with other shares of right answers."""
        return replace(self, questions=questions)

    def pairs(self, questions: PairedQuestions) -> SharePairs:
        """Return questions as tests and intervals take them."""
        return questions.shares(self.clusters)

    def chains(self) -> list[PairedChains]:
        """Return the questions with a chain of thought in both runs."""
        both = self.questions.with_chains()
        return [PairedChains(shares, *one.chains) for shares, one in zip(self.pairs(both), both, strict=True)]


def join_tasks(before: StoredRun, after: StoredRun, only: str | None, score: str) -> list[PairedRuns]:
    """Join the tasks that both runs have, or the one that is named; a UserError where there is none."""
    if score not in SCORES:
        raise UserError(f"--score {score}: unknown. {did_you_mean(score, SCORES)}")
    here, there = (list(run.info["tasks"]) for run in (before, after))
    shared = [name for name in here if name in there and only in {None, name}]
    if not shared:
        what = "have no task in common" if only is None else f"do not both have the task {only}"
        raise UserError(f"{before.path} ({', '.join(here)}) and {after.path} ({', '.join(there)}) {what}.")
    return [pair_runs(before, after, name, score) for name in shared]  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class RunAnswers:
    """The answers of one run to one task, ready to be paired with those of any other run."""

    run: StoredRun
    task: str
    by_question: AnsweredQuestions
    failed: int
    made: RecordProvenance
    waiting: WaitingAnswers
    """Those that wait for a judge."""


def read_answers(run: StoredRun, task: str, records: Iterable[Record] | None = None) -> RunAnswers:
    """Read the answers of a run to one task; `records` where they are in memory already."""
    made, waiting = RecordProvenance(), WaitingAnswers()
    outcomes = Outcomes(made.watch(waiting.watch(run.records(task) if records is None else records)))
    refuse_other_prompt(run, task, made)
    failed = sum(times for outcome, times in outcomes.counts().items() if outcome.failed is not None)
    return RunAnswers(run, task, AnsweredQuestions(outcomes), failed, made, waiting)


def pair_runs(before: StoredRun, after: StoredRun, task: str, score: Score) -> PairedRuns:
    """Pair the answers of two runs to one task; a WaitingError where some have no marks yet."""
    both = read_answers(before, task), read_answers(after, task)
    for answers in both:
        refuse_waiting(answers.run.path, task, answers.waiting)
    return pair_answers(*both, score)


def _waits(outcome: AnswerOutcome, score: Score) -> bool:
    """Whether there is no verdict on an answer before a second pass."""
    return outcome.undecided if score == "strict" else bool(outcome.waits) and not outcome.official.counted


def pair_answers(first: RunAnswers, second: RunAnswers, score: Score) -> PairedRuns:
    """Pair the answers of two runs that were read, question by question."""
    before, after, task = first.run, second.run, first.task
    one, other = (answers.by_question.without(partial(_waits, score=score)) for answers in (first, second))
    both = PairedQuestions.of(one, other, partial(_right, score=score))
    about = (before.info["tasks"][task], after.info["tasks"][task])
    return PairedRuns(
        folders=(str(before.path), str(after.path)),
        task=task,
        score=score,
        questions=both,
        clusters=about[0]["shared_clips"],
        confounders=[
            *confounders(before.info, after.info, task),
            *_confounders(other_clips(before, after, task, first.made, second.made)),
        ],
        also_differs=_confounders(made_differently(before, after, task, first.made, second.made)),
        only_before=len(one) - len(both),
        only_after=len(other) - len(both),
        failed=(first.failed, second.failed),
        expected=(about[0]["questions"] * about[0]["samples"], about[1]["questions"] * about[1]["samples"]),
        answered=(len(one.outcomes) - first.failed, len(other.outcomes) - second.failed),
        answers_each=(about[0]["samples"], about[1]["samples"]),
    )


def confounders(before: RunInfo, after: RunInfo, task: str) -> list[Confounder]:
    """Return the settings in which two runs differ; another checkpoint is what is compared, and none of them."""
    one, other = before["tasks"][task], after["tasks"][task]
    first, second = effective_model(before, task), effective_model(after, task)
    versions = (f"{data['version']} ({data['sha256'][:12]})" for data in (one["data"], other["data"]))
    same_data = one["data"]["sha256"] == other["data"]["sha256"]
    sampling, other_sampling = _apart(_sampling(first), _sampling(second))
    settings: list[tuple[str, Any, Any]] = [
        ("data", *((None, None) if same_data else versions)),
        ("prompt", one["prompt_hash"], other["prompt_hash"]),
        *(
            (name, one.get(name), other.get(name))
            for name in ("answer", "audio", "permute", "order", "paraphrase", "samples", "scorer")
        ),
        ("num-fewshot", one.get("num_fewshot", 0), other.get("num_fewshot", 0)),
        ("stereo", one.get("stereo"), other.get("stereo")),
        ("min-evidence", one.get("min_evidence", WEAKEST), other.get("min_evidence", WEAKEST)),
        ("long-clips", before["long_clips"], after["long_clips"]),
        ("sampling", sampling, other_sampling),
        ("clip-limit", first.get("limit_seconds"), second.get("limit_seconds")),
        ("quantization", _quantization(first), _quantization(second)),
    ]
    return _confounders(settings)


def _confounders(settings: Iterable[tuple[str, Any, Any]]) -> list[Confounder]:
    return [Confounder(name, _shown(was), _shown(now)) for name, was, now in settings if was != now]


def _quantization(model: Mapping[str, Any]) -> str | None:
    """Return how the weights were quantised, in the checkpoint or when it was loaded."""
    loaded = next((f"{name} when loaded" for name in ("load_in_4bit", "load_in_8bit") if model.get(name)), None)
    return model.get("quantization") or loaded or (model.get("flags") or {}).get("quantization")


def _sampling(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sampling settings that decide on tokens; leave out values that change nothing."""
    sampling = model.get("sampling")
    if sampling is None:
        sampling = {name: model[name] for name in _OF_LOCAL if name in model}
    if model.get("name") == "local" or model.get("content"):  # else an engine may take what is not set from anywhere
        sampling = {**_OPEN, **sampling}
    sampling = {name: 0 if name == "top_k" and value == -1 else value for name, value in sampling.items()}
    return {name: value for name, value in sampling.items() if name not in _IDLE or value != _IDLE[name]}


def _apart(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[dict[str, Any] | None]:
    """Yield, for each mapping in turn, the entries that the other lacks or has another value for; None for no entry."""
    for one, other in ((before, after), (after, before)):
        yield {name: value for name, value in one.items() if name not in other or other[name] != value} or None


def _shown(value: Any) -> str:
    text = one_line("none" if value is None else str(value))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _right(answers: Sequence[Answer], score: Score) -> float:
    if score == "official":
        return math.fsum(answer.outcome.official.value for answer in answers) / len(answers)
    return sum(answer.right for answer in answers) / len(answers)


def comparison(paired: PairedRuns) -> Comparison:
    """Compare two runs: the difference and its interval, in all and by group, and which questions went either way."""
    gained, lost, pairs = paired.questions.gained(), paired.questions.lost(), paired.pairs(paired.questions)
    table = effective_table(pairs, TAIL) if pairs else None
    return {
        "before_run": paired.folders[0],
        "after_run": paired.folders[1],
        "task": paired.task,
        "score": paired.score,
        "confounders": [as_fields(one) for one in paired.confounders],
        "also_differs": [as_fields(one) for one in paired.also_differs],
        "n": len(paired.questions),
        "same_choice": _same_choice(paired.questions),
        "only_before": paired.only_before,
        "only_after": paired.only_after,
        "failed": list(paired.failed),
        **paired_figures(pairs),
        "minimum_detectable": None if table is None else minimum_detectable(table.n, table.flips),
        "needed": None if table is None else _needed(table, len(paired.questions)),
        "groups": group_comparisons(paired),
        "matched_lengths": matched_length_figures(paired.chains()),
        "gained": [_flip(one) for one in gained],
        "lost": [_flip(one) for one in lost],
    }


def _same_choice(questions: PairedQuestions) -> ShareFigures | None:
    choices = [one.choices for one in questions]
    known = [before == after for before, after in choices if before is not None and after is not None]
    return as_fields(share(sum(known), len(known))) if known else None


def _needed(table: EffectiveTable, n: int) -> int | None:
    difference = max(abs(table.gained - table.lost) / table.n, EQUAL_WITHIN)
    count = questions_to_find(table.expected_flips, difference)
    return None if count is None else math.ceil(count * n / table.n)


def paired_figures(pairs: SharePairs) -> PairedFigures:
    """Compare two runs on some of their questions."""
    interval = bounds(pairs, TAIL)
    return {
        "before": pairs.mean_before(),
        "after": pairs.mean_after(),
        "difference": interval.difference,
        "low": interval.low,
        "high": interval.high,
        "better": pairs.gained(),
        "worse": pairs.lost(),
        "p": chance_of_equal(pairs),
    }


def group_comparisons(paired: PairedRuns) -> list[GroupComparison]:
    """Compare two runs by group, with p values that know how many groups are looked at."""
    rows: list[GroupComparison] = [
        {"heading": heading, "value": value, "n": len(part), "p_adjusted": 1.0, **paired_figures(paired.pairs(part))}
        for (heading, value), part in paired.questions.by_group().items()
        if len(part) < len(paired.questions)
    ]
    # A heading's values are looked at together, and so are all headings: each look is one more chance to be fooled.
    for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_adjusted"] = p
    return sorted(rows, key=lambda row: (row["heading"],))


def _flip(one: PairedQuestion) -> Flip:
    return {"id": one.id, "before": one.choices[0], "after": one.choices[1]}


def refuse_unsound(paired: PairedRuns, allowed: Sequence[str]) -> None:
    """Raise a MachineryError where nothing can pass: settings that differ, answers that are missing or failed."""
    confounders = [one for one in paired.confounders if one.name not in allowed]
    if confounders:
        listed = "; ".join(map(str, confounders))
        rescore = (
            " `dtbench score RUN --min-evidence LEVEL --write` changes what counts as an answer without a new run."
        )
        levels = rescore if any(one.name == "min-evidence" for one in confounders) else ""
        raise MachineryError(
            f"{paired.task}: the runs differ in more than the model: {listed}. Repeat one of them with the settings of "
            f"the other, or allow the difference: {' '.join(f'--allow {one.name}' for one in confounders)}.{levels}"
        )
    for name, failed, expected, answered in zip(
        ("baseline", "candidate"), paired.failed, paired.expected, paired.answered, strict=True
    ):
        if answered < expected:
            why = f"{failed} failed, {expected - answered - failed} were never asked"
            raise MachineryError(
                f"{paired.task}: the {name} lacks {expected - answered} of {expected} answers ({why}), and a gate "
                f"needs complete runs. Repeat its `dtbench run` command: it asks only for what is missing."
            )
    if paired.only_before or paired.only_after or not paired.questions:
        raise MachineryError(
            f"{paired.task}: the runs have different questions ({paired.only_before} only in the baseline, "
            f"{paired.only_after} only in the candidate): compare runs on the same questions."
        )
