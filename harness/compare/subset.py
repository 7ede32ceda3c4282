"""`dtbench subset`: a small set of questions that ranks stored runs as the whole benchmark does, with its error.

The set has questions of every difficulty, at even distances by the mean score of the runs; of a hundred such sets the
one is taken on which every run scores most nearly as on all questions, and which has most nearly the same shares of
groups. What that is worth for a model that was not among the runs is measured by leaving each run out: the others
choose, and it is scored on what they chose. Greedy choices (one question after the other, to the nearest mean) were no
better than chance in simulations of checkpoints: they match means with questions that are unlike the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

from dtbench.harness.compare.paired import ScoreName
from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.core.options import OUTPUT, Argument, Option, Seed, check_options
from dtbench.harness.core.output_paths import refuse_no_file
from dtbench.harness.core.typed_settings import at_least
from dtbench.harness.score.outcomes import Answer, Outcomes
from dtbench.harness.stats.subsets import (
    agreement,
    choose_questions,
    drawn_agreement,
    left_out_agreement,
    left_out_runs,
    mean_at,
)
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_labels import refuse_repeated
from dtbench.harness.store.subset_types import QuestionSubset
from dtbench.harness.store.types import as_fields

FEWEST_RUNS = 3
DRAWS = 200
_FEW = "dtbench subset needs at least 3 runs of one benchmark, by different models or checkpoints"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetRequest:
    """Which runs choose how many questions; a UserError where a value is not allowed."""

    runs: Annotated[
        Sequence[Path],
        Argument(
            "RUN...", "Run folders of one benchmark, three or more.", missing=f"{_FEW}.", values="runs", is_run=True
        ),
    ] = ()
    size: Annotated[
        int | None,
        Option("--size", "N", "How many questions to select.", missing="say how many, such as --size 100."),
        at_least(1),
    ] = None
    out: Annotated[
        Path | None,
        Option(
            "--out",
            "FILE",
            "File for the ids, one per line, for `dtbench run --ids FILE`.",
            panel=OUTPUT,
            shown="printed",
            values="files",
        ),
    ] = None
    task: Annotated[
        str | None,
        Option("--task", "TASK", "Benchmark of the runs.", shown="the only one", values="tasks"),
    ] = None
    score: ScoreName = "strict"
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Refuse values that are not allowed."""
        check_options(self)
        if self.size is None:
            raise UserError("--size is missing: say how many, such as --size 100.")
        if len(self.runs) < FEWEST_RUNS:
            raise UserError(f"{_FEW}; {len(self.runs)} given.")
        refuse_repeated(self.runs)
        refuse_no_file("--out", self.out, such_as="ids.txt")
        if self.score not in {"official", "strict"}:
            raise UserError(f"--score {self.score}: unknown. official and strict are known.")


class _ScoredRun(NamedTuple):
    """The score of each question of one run, from 0 to 1."""

    path: Path
    scores: Mapping[str, float]
    groups: Mapping[str, Sequence[tuple[str, str]]]


def find_subset(request: SubsetRequest) -> QuestionSubset:
    """Choose a set of questions, measure its error, and write its ids where a file is named."""
    stored = [StoredRun.open(path) for path in request.runs]
    task = _shared_task(stored, request.task)
    _refuse_other_data(stored, task)
    runs = [_scored(run, task, request.score) for run in stored]
    ids = [id_ for id_ in runs[0].scores if all(id_ in one.scores for one in runs)]
    every = set[str]().union(*(one.scores for one in runs))
    size = request.size or 0
    if size >= len(ids):
        raise UserError(
            f"--size {size}: the runs share {len(ids)} questions of {task}, so that a smaller set has fewer: "
            f"1 to {max(1, len(ids) - 1)} is allowed."
        )
    scores = [[one.scores[id_] for id_ in ids] for one in runs]
    groups = _group_rows(ids, runs[0])
    chosen = choose_questions(scores, groups, size, request.seed)
    whole = [mean_at(row, range(len(ids))) for row in scores]
    inside = [mean_at(row, chosen) for row in scores]
    outside = left_out_runs(scores, groups, size, request.seed)
    found = [ids[place] for place in chosen]
    if request.out is not None:
        replace_whole(request.out, "".join(f"{id_}\n" for id_ in found).encode("utf-8", "surrogatepass"))
    return {
        "task": task,
        "score": request.score,
        "method": "stratified",
        "seed": request.seed,
        "size": size,
        "questions": len(ids),
        "not_shared": len(every) - len(ids),
        "runs": [
            {"run": str(one.path), "accuracy": accuracy, "subset": subset, "left_out": left_out.score}
            for one, accuracy, subset, left_out in zip(runs, whole, inside, outside, strict=True)
        ],
        "chosen_with": as_fields(agreement(whole, inside)),
        "left_out": as_fields(left_out_agreement(whole, outside)),
        "random": as_fields(drawn_agreement(scores, size, DRAWS, request.seed)),
        "draws": DRAWS,
        "ids": found,
        "out": None if request.out is None else str(request.out),
    }


def _shared_task(runs: Sequence[StoredRun], only: str | None) -> str:
    shared = [name for name in runs[0].info["tasks"] if all(name in run.info["tasks"] for run in runs)]
    if only is not None:
        if only not in shared:
            lacking = next(run.path for run in runs if only not in run.info["tasks"])
            raise UserError(f"--task {only}: {lacking} has no answers of it.")
        return only
    if not shared:
        raise UserError(f"the {len(runs)} runs have no benchmark in common: name runs of one.")
    if len(shared) > 1:
        raise UserError(f"--task is missing: the runs share {', '.join(shared)}; name one of them.")
    return shared[0]


def _refuse_other_data(runs: Sequence[StoredRun], task: str) -> None:
    first = runs[0].info["tasks"][task]["data"]
    for run in runs[1:]:
        data = run.info["tasks"][task]["data"]
        if data["sha256"] != first["sha256"]:
            raise DataError(
                f"{run.path}: its {task} data ({data['version']}) is not that of {runs[0].path} ({first['version']}): "
                "name runs of the same questions."
            )


def _scored(run: StoredRun, task: str, score: str) -> _ScoredRun:
    """Return the mean score of each question over its repeats; one that failed is a wrong one."""
    sums: dict[str, list[float]] = {}
    groups: dict[str, Sequence[tuple[str, str]]] = {}
    for answer in Outcomes(run.records(task)).answers():
        pair = sums.setdefault(answer.id, [0.0, 0.0])
        pair[0] += _points(answer, score)
        pair[1] += 1
        groups[answer.id] = answer.outcome.groups
    if not sums:
        raise DataError(f"{run.path}: there is no answer to {task} in it.")
    return _ScoredRun(run.path, {id_: total / times for id_, (total, times) in sums.items()}, groups)


def _points(answer: Answer, score: str) -> float:
    if score == "official":
        official = answer.outcome.official
        return official.value if official.counted else 0.0
    return float(answer.right)


def _group_rows(ids: Sequence[str], run: _ScoredRun) -> list[list[float]]:
    """Return for each group of questions which of them are in it; groups of one or all are left out."""
    names = sorted({group for id_ in ids for group in run.groups[id_]})
    rows = [[float(group in run.groups[id_]) for id_ in ids] for group in names]
    return [row for row in rows if 1 < sum(row) < len(ids)]
