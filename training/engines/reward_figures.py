"""The figures of a step about reward hacking, from the files that the rewards of every process write.

STAGE/rewards/rank-N.jsonl has a line per batch. A line without a step gives no figures: those of dev questions, and
those of an earlier dtbench (STAGE/rewards.jsonl).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from dtbench.training.engines.contract import Metrics
from dtbench.training.rewards.batch_figures import PLAIN_REWARDS, BatchFigures, GroupSums


class BatchLine(TypedDict):
    """What a line has beside the counts."""

    rank: int
    start: float
    """When the process began: a step that is done again counts by its last start."""
    step: NotRequired[int]
    """The step that the batch is for; none for a dev split."""
    figures: BatchFigures


class RewardFigures:
    """Follows the files of a stage as they grow."""

    def __init__(self, folder: Path, *, after: int = 0) -> None:
        self._folder, self._after = folder, after
        self._offsets: dict[Path, int] = {}
        self._steps: dict[int, dict[int, tuple[float, list[BatchFigures]]]] = {}

    def of_step(self, step: int) -> Metrics:
        """Return the figures of a step, over all processes; what lies before it is forgotten."""
        for line in self._new_lines():
            self._add(line)
        self._after = max(self._after, step)
        ranks = self._steps.get(step, {})
        self._steps = {number: found for number, found in self._steps.items() if number > step}
        return step_figures([batch for _, batches in ranks.values() for batch in batches])

    def _new_lines(self) -> Iterator[BatchLine]:
        for path in sorted(self._folder.glob("rank-*.jsonl")):
            with path.open("rb") as file:
                file.seek(self._offsets.get(path, 0))
                grown = file.read()
            whole = grown[: grown.rfind(b"\n") + 1]
            self._offsets[path] = self._offsets.get(path, 0) + len(whole)
            for line in whole.splitlines():
                try:
                    content = json.loads(line)
                except ValueError:
                    continue  # a process that was killed left half a line
                if isinstance(content, dict) and "step" in content:
                    yield cast("BatchLine", content)

    def _add(self, line: BatchLine) -> None:
        step, rank = line["step"], line["rank"]
        if step <= self._after:
            return
        ranks = self._steps.setdefault(step, {})
        start, batches = ranks.get(rank, (0.0, []))
        if line["start"] > start:
            batches = []
        ranks[rank] = (max(start, line["start"]), [*batches, line["figures"]])


def step_figures(batches: Sequence[BatchFigures]) -> Metrics:
    """Return the figures of all batches of a step; one that cannot be told is left out."""
    right, wrong = _sum(one["right"] for one in batches), _sum(one["wrong"] for one in batches)
    low = [one["low"] for one in batches if one["low"] is not None]
    groups = list(_merged(batches))
    shares: dict[str, tuple[float, float]] = {
        "guard_rate": (_sum(one["guarded"] for one in batches), right + wrong),
        "length_right": (_sum(one["words_right"] for one in batches), right),
        "length_wrong": (_sum(one["words_wrong"] for one in batches), wrong),
        "right_low_marks": (_sum(low), right if low else 0),
        "evaluator_minus_embedding": (
            _sum(one["difference"] for one in batches),
            _sum(one["compared"] for one in batches),
        ),
    }
    spreads = [spread for group in groups if (spread := _spread(group)) is not None]
    shares["spread_all_right"] = (_sum(spreads), len(spreads))
    shares["groups_alike"] = (sum(_is_alike(group) for group in groups), len(groups))
    for guard in sorted({name for one in batches for name in one["guards"]}):
        shares[f"guard/{guard}"] = (_sum(one["guards"].get(guard, 0) for one in batches), right + wrong)
    return {name: total / count for name, (total, count) in shares.items() if count}


def _merged(batches: Iterable[BatchFigures]) -> Iterable[GroupSums]:
    """Add up the sums of each group over the processes that its answers were spread over."""
    groups: dict[str, GroupSums] = {}
    for batch in batches:
        for id_, part in batch["groups"].items():
            whole = groups.setdefault(id_, {"n": 0, "right": 0, "sums": {name: [0.0, 0.0] for name in part["sums"]}})
            whole["n"] += part["n"]
            whole["right"] += part["right"]
            for name, (total, squares) in part["sums"].items():
                whole["sums"][name] = [whole["sums"][name][0] + total, whole["sums"][name][1] + squares]
    return groups.values()


def _spread(group: GroupSums) -> float | None:
    """Return the mean deviation of the marks of a group that is all right; None for another group."""
    graded = [_deviation(group, name) for name in group["sums"] if name not in PLAIN_REWARDS]
    return sum(graded) / len(graded) if graded and group["n"] == group["right"] > 1 else None


def _is_alike(group: GroupSums) -> bool:
    return all(_deviation(group, name) == 0 for name in group["sums"])


def _deviation(group: GroupSums, reward: str) -> float:
    """Return the standard deviation of a reward within its group; rewards lie on a grid, so equal ones give 0."""
    total, squares = group["sums"][reward]
    return math.sqrt(max(0.0, group["n"] * squares - total**2)) / group["n"]


def _sum(values: Iterable[float]) -> float:
    return math.fsum(values)
