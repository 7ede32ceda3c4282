"""What judges marked in the chains of a run, by question and repeat, from the folders that lie beside its records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from dtbench.harness.core.errors import DtbenchError
from dtbench.harness.core.model import Notify
from dtbench.harness.frames.columns import RUBRIC, plain_name
from dtbench.harness.stats.intervals import trimmed_mean
from dtbench.harness.store.jsonl import Key
from dtbench.harness.store.judged_types import JudgeRecord, VerdictRecord
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.types import JudgeInfo

MOST_CRITERIA = 40
"""Columns of criteria at most: some benchmarks give every question criteria of its own."""


class MarksOfAnswer(NamedTuple):
    """What all calls of one judge say of one chain."""

    score: float | None
    """The mean share of criteria met, of three or more calls without the lowest and the highest; None if one failed."""
    marks: Mapping[str, float]
    """Criterion -> the share of calls that found it met."""
    why: Mapping[str, str]
    """Criterion -> the reason that the first call gave."""


Judged = Mapping[str, Mapping[Key, MarksOfAnswer]]
"""Judge -> answer -> its marks."""


def judged_answers(run: StoredRun, task: str, notify: Notify) -> Judged:
    """Read what each judge marked of a task; a folder that cannot be read is left out, and `notify` is told."""
    judges: dict[str, dict[Key, MarksOfAnswer]] = {}
    for path in sorted(run.path.glob("judge-*/run.json")):
        if path.parent.name.endswith("-calibration"):
            continue
        try:
            judge = StoredRun.open(path.parent, "judge")
            marked = _marked(judge, task)
        except DtbenchError as error:
            notify(f"left out: {error}")
            continue
        if marked:
            judges[path.parent.name.removeprefix("judge-")] = marked
    return judges


def _marked(judge: StoredRun, task: str) -> dict[Key, MarksOfAnswer]:
    info = cast("JudgeInfo", judge.info)
    about = {**info.get("other_tasks", {}), **info["tasks"]}.get(task)
    if about is None or "scorer" in info:  # of answers, whose marks stand with their scores
        return {}
    verdicts: dict[str, list[VerdictRecord]] = defaultdict(list)
    for record in judge.records_as(task, JudgeRecord):
        if "verdict" in record:
            verdicts[record["id"]].append(record["verdict"])
    calls, repeat = info["calls"], about.get("sample", 0)
    return {Key(id_, repeat): _together(each, calls) for id_, each in verdicts.items()}


def _together(verdicts: list[VerdictRecord], calls: int) -> MarksOfAnswer:
    names = dict.fromkeys(name for verdict in verdicts for name in verdict["marks"])
    marks = {name: sum(one["marks"].get(name, 0) for one in verdicts) / len(verdicts) for name in names}
    score = trimmed_mean(one["share"] for one in verdicts) if len(verdicts) >= calls else None
    return MarksOfAnswer(score, marks, verdicts[0].get("why", {}))


@dataclass(slots=True)
class RubricColumns:
    """The columns for the marks of some runs."""

    judges: list[str] = field(default_factory=list)
    criteria: dict[str, None] = field(default_factory=dict)

    def add(self, judged: Judged) -> None:
        """Count in what judges marked of a run."""
        for judge, marked in judged.items():
            if judge not in self.judges:
                self.judges.append(judge)
            for one in marked.values():
                self.criteria.update(dict.fromkeys(one.marks))

    def note(self) -> str | None:
        """Return what is left out of the columns, in one line; None where nothing is."""
        if len(self.criteria) <= MOST_CRITERIA:
            return None
        return (
            f"the judges used {len(self.criteria)} criteria, too many for a column each: the samples frame has the "
            f"score of each reasoning chain, and chains_df() all marks"
        )

    def values(self, judged: Judged, keys: Iterable[Key]) -> Iterator[tuple[str, list[float | None]]]:
        """Yield each column with its values for these answers."""
        answers = list(keys)
        for judge in self.judges:
            marked = judged.get(judge, {})
            found = [marked.get(key) for key in answers]
            prefix = self.prefix(judge)
            yield f"{prefix}score", [None if one is None else one.score for one in found]
            for criterion, name in self._names().items():
                yield f"{prefix}{name}", [None if one is None else one.marks.get(criterion) for one in found]

    def prefix(self, judge: str) -> str:
        """Return how the columns of a judge begin: with its name where there are several."""
        return RUBRIC if len(self.judges) == 1 else f"{RUBRIC}{plain_name(judge)}_"

    def _names(self) -> dict[str, str]:
        """Name the criteria; two that come to one name get numbers."""
        names: dict[str, str] = {}
        if len(self.criteria) > MOST_CRITERIA:
            return names
        for criterion in self.criteria:
            plain = plain_name(criterion)
            wanted = f"criterion_{plain}" if plain == "score" else plain
            free, number = wanted, 2
            while free in names.values():
                free, number = f"{wanted}_{number}", number + 1
            names[criterion] = free
        return names
