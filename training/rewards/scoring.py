"""The rewards by name, and the scoring of batches of completions, which an engine's plug-in calls."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from dtbench.harness.core.errors import DataError, MachineryError, UserError
from dtbench.harness.core.scorer import Scorer
from dtbench.harness.extract.answer import extract
from dtbench.tasks import registry as task_registry
from dtbench.training.data.rows import TrainingRow
from dtbench.training.recipe.reward_settings import EVENTS, NO_MODEL, WORD_COUNT, RewardSettings
from dtbench.training.rewards.batch_figures import BatchFigures, batch_figures
from dtbench.training.rewards.cache import Cache
from dtbench.training.rewards.completion import ParsedCompletion, parse_completion
from dtbench.training.rewards.cosines import ChainPair
from dtbench.training.rewards.counts import RewardCounts
from dtbench.training.rewards.embedding import ChainSimilarity
from dtbench.training.rewards.evaluator import Evaluator, EvaluatorQuery, Verdict
from dtbench.training.rewards.evaluator_prompts import Marks, compare_prompt, parse_marks, parse_support, support_prompt
from dtbench.training.rewards.guards import matching_guard
from dtbench.training.rewards.mini_grader import grade_chain
from dtbench.training.rewards.own_rewards import OwnReward, find_reward, own_values
from dtbench.training.rewards.weak_graders import GraderNoise, draw_number, grade_length

GRID = 1024
"""Rewards are multiples of 1/GRID: a group of equal ones then has a deviation of exactly 0 in an engine's float32."""
MIN_ASKED = 50
"""The least number of requests that the share of failures is taken of: one failure at the start is no share."""


class Candidate(NamedTuple):
    """A completion of a row, parsed."""

    row: TrainingRow
    completion: ParsedCompletion
    guard: str | None
    """The guard that rules the chain out; None where none does."""

    @property
    def chain(self) -> str:
        """The chain of thought."""
        return self.completion.chain

    @property
    def choice(self) -> str | None:
        """The chosen option; None where the completion chooses none."""
        return self.completion.extraction.choice


@dataclass(slots=True)
class RewardBatch:
    """The candidates of a batch, and what rewards are computed with."""

    candidates: Sequence[Candidate]
    settings: RewardSettings
    evaluator: Evaluator
    similarity: ChainSimilarity
    report: RewardCounts
    seed: int = 0
    """For what is drawn at random."""
    marks: Sequence[float | None] | None = None
    """The evaluator's means for the comparable candidates, once it was asked."""
    cosines: Sequence[float] | None = None
    """Those of the comparable candidates, once all were computed."""

    @property
    def noise(self) -> GraderNoise:
        """How often the evaluator errs by chance."""
        return GraderNoise(self.settings.grader_noise, self.seed)

    def comparable(self) -> list[Candidate]:
        """Return the right answers whose chains no guard rules out: only those are compared with a reference."""
        comparable = [one for one in self.candidates if one.completion.correct and one.guard is None]
        for candidate in comparable:
            if not candidate.row.chain.strip():
                raise DataError(
                    f"row {candidate.row.id}: it has no reference chain, and a reward of this stage compares with one. "
                    f"`dtbench cot` writes them."
                )
        return comparable

    def scatter(self, candidates: Sequence[Candidate], values: Sequence[float]) -> list[float]:
        """Return the values at the places of these candidates, and 0 everywhere else."""
        known = {id(candidate): value for candidate, value in zip(candidates, values, strict=True)}
        return [known.get(id(candidate), 0.0) for candidate in self.candidates]


def accuracy_reward(batch: RewardBatch) -> list[float]:
    """Return 1 where the task's own score calls the answer right."""
    return [float(candidate.completion.correct) for candidate in batch.candidates]


def format_reward(batch: RewardBatch) -> list[float]:
    """Return 1 where the completion has the form of the template."""
    return [float(candidate.completion.formatted) for candidate in batch.candidates]


def consistency_reward(batch: RewardBatch) -> list[float]:
    """Return 1 where the chain supports the chosen option, right or wrong; without a verdict, its words decide."""
    candidates = [one for one in batch.candidates if one.choice is not None and one.guard is None]
    verdicts: Sequence[Verdict | None] = [None] * len(candidates)
    if batch.settings.consistency != "words":
        queries = []
        for one in candidates:
            prompt = functools.partial(support_prompt, one.row, one.chain, one.choice or "")
            queries.append(EvaluatorQuery(one.row.id, "consistency", prompt, parse_support))
        verdicts = batch.evaluator.decide(queries, batch.report)
    values = [
        float(
            chain_concludes(one.chain, one.choice, one.row.choices)
            if verdict is None
            else _supports(batch, one, bool(verdict["supports"]))
        )
        for one, verdict in zip(candidates, verdicts, strict=True)
    ]
    return batch.scatter(candidates, values)


def _supports(batch: RewardBatch, candidate: Candidate, verdict: bool) -> bool:
    """Return the evaluator's verdict, or what noise puts in its place."""
    row, chain = candidate.row.id, candidate.chain
    if not batch.noise.replaces("consistency", row, chain):
        return verdict
    batch.report.counts["consistency_replaced"] += 1
    return batch.noise.supports(row, chain)


def evaluator_reward(batch: RewardBatch) -> list[float]:
    """Return the mean of four marks against the reference; without a verdict, the cosine of the embedding."""
    candidates = batch.comparable()
    marks = _mean_marks(batch, candidates)
    unmarked = iter(_cosines(batch, [one for one, mark in zip(candidates, marks, strict=True) if mark is None]))
    return batch.scatter(candidates, [next(unmarked) if mark is None else mark for mark in marks])


def embedding_reward(batch: RewardBatch) -> list[float]:
    """Return the cosine of the chain's embedding with the reference's."""
    candidates = batch.comparable()
    return batch.scatter(candidates, _all_cosines(batch, candidates))


def hybrid_reward(batch: RewardBatch) -> list[float]:
    """Return evaluator and embedding, weighted by the recipe; without a verdict, the embedding alone."""
    candidates = batch.comparable()
    weight = batch.settings.embedding_weight
    marks, cosines = _mean_marks(batch, candidates), _all_cosines(batch, candidates)
    values = [
        cosine if mark is None else weight * cosine + (1 - weight) * mark
        for mark, cosine in zip(marks, cosines, strict=True)
    ]
    return batch.scatter(candidates, values)


def random_reward(batch: RewardBatch) -> list[float]:
    """Return 0 or 1 by chance alone; completions of a question draw apart, even where they say the same."""
    seen: Counter[str] = Counter()
    values = []
    for one in batch.candidates:
        seen[one.row.id] += 1
        content = one.row.id, one.chain, one.completion.extraction.whole_answer, seen[one.row.id]
        values.append(float(draw_number(batch.seed, "random", *content) < 1 / 2))
    return values


def constant_reward(batch: RewardBatch) -> list[float]:
    """Return 1 for every completion: no answer is better than another, and what still moves is drift."""
    return [1.0] * len(batch.candidates)


REWARDS: Mapping[str, Callable[[RewardBatch], list[float]]] = {
    "accuracy": accuracy_reward,
    "format": format_reward,
    "consistency": consistency_reward,
    "evaluator": evaluator_reward,
    "embedding": embedding_reward,
    "hybrid": hybrid_reward,
    "random": random_reward,
    "constant": constant_reward,
}
GRADERS: Mapping[str, Callable[[TrainingRow, str], Marks]] = {EVENTS: grade_chain, WORD_COUNT: grade_length}
"""Evaluators that are no model, by the name that a recipe gives them."""


def chain_concludes(chain: str, choice: str | None, choices: Sequence[str]) -> bool:
    """Return whether the chain's own conclusion, extracted like any answer, is the chosen option."""
    return choice is not None and extract(chain, choices).choice == choice


def round_to_grid(value: float) -> float:
    """Return the nearest multiple of 1/GRID."""
    return round(value * GRID) / GRID


def _mean_marks(batch: RewardBatch, candidates: Sequence[Candidate]) -> Sequence[float | None]:
    """Return the mean of each candidate's marks, None without a verdict; a batch requests marks only once."""
    if batch.marks is None:
        given = [
            marks if marks is None else _noisy_marks(batch, one, marks)
            for one, marks in zip(candidates, _marks(batch, candidates), strict=True)
        ]
        for marks in given:
            if marks is not None:
                batch.report.add_marks(marks._asdict())
        batch.marks = [None if marks is None else marks.mean for marks in given]
    return batch.marks


def _noisy_marks(batch: RewardBatch, candidate: Candidate, marks: Marks) -> Marks:
    """Return the evaluator's marks, or what noise puts in their place."""
    row, chain = candidate.row.id, candidate.chain
    if not batch.noise.replaces("evaluator", row, chain):
        return marks
    batch.report.counts["evaluator_replaced"] += 1
    return batch.noise.marks(row, chain)


def _marks(batch: RewardBatch, candidates: Sequence[Candidate]) -> list[Marks | None]:
    if batch.settings.evaluator in GRADERS:
        grade = GRADERS[batch.settings.evaluator]
        return [grade(one.row, one.chain) for one in candidates]
    queries = []
    for one in candidates:
        prompt = functools.partial(compare_prompt, one.row, one.chain)
        queries.append(EvaluatorQuery(one.row.id, "evaluator", prompt, parse_marks))
    verdicts = batch.evaluator.decide(queries, batch.report)
    return [None if verdict is None else Marks(**verdict) for verdict in verdicts]


def _all_cosines(batch: RewardBatch, candidates: Sequence[Candidate]) -> Sequence[float]:
    """Return the cosine of each comparable candidate; a batch requests them only once."""
    if batch.cosines is None:
        batch.cosines = _cosines(batch, candidates)
    return batch.cosines


def _cosines(batch: RewardBatch, candidates: Sequence[Candidate]) -> list[float]:
    pairs = [ChainPair(one.row.id, one.chain, one.row.chain) for one in candidates]
    return batch.similarity.cosines(pairs, batch.report)


class Scores(NamedTuple):
    """The rewards of a batch."""

    values: Mapping[str, list[float]]
    """Reward -> one number a completion, multiples of 1/1024 from 0 to 1, never NaN."""
    report: RewardCounts
    """What this batch took."""
    figures: BatchFigures
    """What it says about reward hacking."""


class Rewards:
    """Computes the rewards of a stage; `total` counts what all batches took."""

    def __init__(self, settings: RewardSettings, seed: int = 0) -> None:
        self.settings = settings
        self.seed = seed
        self.total = RewardCounts()
        self._scorer = task_registry.get_task(settings.task) if settings.task else Scorer()
        self._own: dict[str, OwnReward] = {}
        self._cache = Cache(settings.cache)
        self._evaluator = Evaluator(settings, self._cache)
        self._similarity = ChainSimilarity(settings, self._cache)

    def score_batch(self, names: Sequence[str], rows: Sequence[TrainingRow], completions: Sequence[str]) -> Scores:
        """Return the rewards of these names; a MachineryError where too many chains got no verdict."""
        if len(rows) != len(completions):
            raise ValueError(f"{len(rows)} rows and {len(completions)} completions")
        check_reward_names(names, self.settings)
        report = RewardCounts()
        report.counts["completions"] = len(rows)
        candidates = []
        for row, text in zip(rows, completions, strict=True):
            completion = parse_completion(row, text, self.settings.template, self._scorer)
            candidates.append(Candidate(row, completion, matching_guard(row, completion.chain, self.settings)))
        guards = (candidate.guard for candidate in candidates)
        report.counts.update(f"guard_{guard.replace(' ', '_')}" for guard in guards if guard is not None)
        batch = RewardBatch(candidates, self.settings, self._evaluator, self._similarity, report, self.seed)
        values = {name: [round_to_grid(value) for value in self._values(name, batch)] for name in names}
        self.total.add(report)
        self._refuse_too_many_failures()
        return Scores(values, report, _figures(batch, values))

    def _values(self, name: str, batch: RewardBatch) -> Sequence[float]:
        if name in REWARDS:
            return REWARDS[name](batch)
        if name not in self._own:
            self._own[name] = find_reward(name, REWARDS)
        candidates = batch.candidates
        rows, completions = [one.row for one in candidates], [one.completion for one in candidates]
        return own_values(name, self._own[name], rows, completions)

    def close(self) -> None:
        """Close connections, models and files."""
        self._evaluator.close()
        self._similarity.close()
        self._cache.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _refuse_too_many_failures(self) -> None:
        counts = self.total.counts
        for kind in ("evaluator", "consistency", "embedding"):
            failed, asked = counts[f"{kind}_failed"], counts[f"{kind}_asked"]
            if failed > self.settings.max_failed * max(asked, MIN_ASKED):
                last = (self.total.failures or ["no reason"])[-1]
                raise MachineryError(
                    f"rewards: {failed} of {asked} answers had no verdict of the {kind}, more than the "
                    f"{self.settings.max_failed:.1%} that the recipe allows. The last one: {last.rstrip('.')}. "
                    f"Once that is fixed, the same command continues from the last checkpoint."
                )


def _figures(batch: RewardBatch, values: Mapping[str, Sequence[float]]) -> BatchFigures:
    pairs = zip(batch.marks or (), batch.cosines or (), strict=False)
    differences = [mark - cosine for mark, cosine in pairs if mark is not None]
    ids, completions = [one.row.id for one in batch.candidates], [one.completion for one in batch.candidates]
    return batch_figures(ids, completions, [one.guard for one in batch.candidates], values, differences)


def check_reward_names(names: Sequence[str], settings: RewardSettings) -> None:
    """Raise a UserError for a reward that is unknown, or that lacks an evaluator."""
    for name in names:
        if name not in REWARDS:
            find_reward(name, REWARDS)
        by_model = name == "consistency" and settings.consistency == "evaluator"
        if (name in {"evaluator", "hybrid"} and not settings.evaluator) or (
            by_model and settings.evaluator in NO_MODEL
        ):
            instead = "'words' for consistency" if by_model else f"{EVENTS!r} with data of mini"
            raise UserError(
                f"reward {name!r}: no evaluator is named. rewards: evaluator = 'http://HOST:PORT/v1' is expected, "
                f"'judge' for the model of a table [judge], or {instead}."
            )
