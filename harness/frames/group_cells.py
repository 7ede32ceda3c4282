"""The figures of a run by group, from its stored summary and records: what tables and pictures show."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import DataError, UserError, did_you_mean
from dtbench.harness.score.chance_level import chance_of
from dtbench.harness.score.group_shares import share_over_clips
from dtbench.harness.score.outcomes import Answer, AnswerOutcome, Outcomes
from dtbench.harness.score.stored_run import StoredTask, find_data
from dtbench.harness.score.summary import paper_columns
from dtbench.harness.store.judged_types import AnswerSummary, CalibrationSummary, JudgedFigures, JudgeSummary
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_json import read_summary
from dtbench.harness.store.share_types import ShareFigures
from dtbench.harness.store.summary_types import Summary, TaskSummary
from dtbench.harness.store.table_types import OWN, TASKS, TableCell, TableScore
from dtbench.tasks.stored import stored_task


class ColumnSpec(NamedTuple):
    """A column by group: its title, and the heading and value of each of its questions; empty for all."""

    title: str
    where: Mapping[str, str]

    def holds(self, groups: Iterable[tuple[str, str]]) -> bool:
        """Whether a question of these groups belongs to it."""
        return self.where.items() <= set(groups)


@dataclass(frozen=True)
class TabledTask:
    """One task of a run."""

    run: StoredRun
    part: StoredTask

    @classmethod
    def open(cls, run: StoredRun, task: str, task_file: Path | None) -> TabledTask:
        """Find the task of a run."""
        return cls(run, stored_task(run, task, task_file))

    @functools.cached_property
    def summary(self) -> TaskSummary:
        """The stored summary of the task; added up from the records where there is none, or an older one."""
        stored = read_summary(self.run.path, Summary)
        for one in () if stored is None else stored["tasks"]:
            if one["task"] == self.part.task.name and ("by_group" in one or one["strict"]["accuracy"] is None):
                return one
        part = replace(self.part, data=find_data(self.part, None))
        return part.summarise(part.records())

    @functools.cached_property
    def answers(self) -> Sequence[Answer]:
        """Every answer, with the clip that it is about."""
        return list(Outcomes(self.part.records()).answers(self.part.about["shared_clips"]))

    @functools.cached_property
    def chances(self) -> Mapping[str, float]:
        """How often a guess at each question is right; empty where the questions are not at hand."""
        data = find_data(self.part, None)
        return {} if data is None else {one.id: chance_of(one.choices, one.answer) for one in data.samples}

    def counts(self) -> Counter[AnswerOutcome]:
        """Count how often each outcome came."""
        return Counter(answer.outcome for answer in self.answers)

    @functools.cached_property
    def judges(self) -> Mapping[str, JudgeSummary]:
        """The marks of each judge that scored this task, by the judge's name."""
        found: dict[str, JudgeSummary] = {}
        for path in sorted(self.run.path.glob("judge-*/summary.json")):
            try:
                summary: Any = read_summary(path.parent, JudgeSummary, AnswerSummary, CalibrationSummary)
            except DataError:  # `dtbench judge` says what is wrong with it
                continue
            if summary is not None and "rubrics" in summary and summary["task"] == self.part.task.name:
                name = summary["judge"]
                found[f"{name} ({path.parent.name})" if name in found else name] = summary
        return found


def score_cell(one: TabledTask, column: ColumnSpec, score: TableScore) -> TableCell | None:
    """Return the accuracy in a column; None where right and wrong are not known, or nothing is counted."""
    summary = one.summary
    if summary["strict"]["accuracy"] is None:
        return None
    if not column.where:
        return _overall(summary, score)
    part = [answer for answer in one.answers if column.holds(answer.outcome.groups)]
    if score == "official":
        part = [answer for answer in part if answer.outcome.official.counted]
        marks = [answer.outcome.official.value for answer in part]
    else:
        part = [answer for answer in part if not answer.outcome.undecided]
        marks = [float(answer.right) for answer in part]
    return _of_share(share_over_clips([answer.clip for answer in part], marks)) if part else None


def _overall(summary: TaskSummary, score: TableScore) -> TableCell | None:
    official, strict = summary["official"], summary["strict"]
    found, n = (official, official["counted"]) if score == "official" else (strict, strict["n"])
    accuracy = found["accuracy"]
    return None if accuracy is None else {"value": accuracy, "low": found["low"], "high": found["high"], "n": n}


def _of_share(found: ShareFigures) -> TableCell:
    return {"value": found["accuracy"], "low": found["low"], "high": found["high"], "n": found["n"]}


def chance_of_column(one: TabledTask, column: ColumnSpec) -> float | None:
    """Return what guessing gives in a column; None where the options of its questions are not at hand."""
    if not column.where:
        chance = one.summary.get("chance_corrected")
        return None if chance is None else chance["chance"]
    heading, value = ", ".join(column.where), ", ".join(column.where.values())
    group = one.summary.get("by_group", {}).get(heading, {}).get(value)
    if group is not None:
        return group.get("chance")
    ids = [answer.id for answer in one.answers if column.holds(answer.outcome.groups)]
    if not ids or not one.chances.keys() >= {*ids}:
        return None
    return math.fsum(one.chances[id_] for id_ in ids) / len(ids)


def rubric_cell(judged: JudgeSummary, column: ColumnSpec) -> TableCell | None:
    """Return the marks of a judge in a column; None where some of its questions have none."""
    found: JudgedFigures = judged
    n = judged["n"]
    if column.where:
        heading, value = ", ".join(column.where), ", ".join(column.where.values())
        group = judged["groups"].get(heading, {}).get(value)
        if group is None:
            return None
        found, n = group, group["n"]
    rubrics, low, high = found["rubrics"], found.get("low"), found.get("high")
    if rubrics is None:
        return None
    limits = [None if limit is None else limit / 100 for limit in (low, high)]
    return {"value": rubrics / 100, "low": limits[0], "high": limits[1], "n": n}


def reasoning_cell(summary: TaskSummary) -> TableCell | None:
    """Return the mean length of the reasoning; None where no answer has any."""
    chains = summary["chains"]
    mean = chains["mean"]
    return None if mean is None else {"value": mean, "low": None, "high": None, "n": chains["n"]}


def column_specs(parts: Sequence[TabledTask], by: str | None) -> list[ColumnSpec]:
    """Return the columns of a task: its official ones, or all questions and each value of a heading."""
    task = parts[0].part.task
    counts = sum((part.counts() for part in parts), Counter())
    headings = sorted({name for outcome in counts for name, _ in outcome.groups})
    if by is None or (by == OWN and OWN not in headings):
        return [ColumnSpec(one.title, one.where) for one in paper_columns(task, counts)]
    titles = {grouping.title.casefold(): grouping.fields for grouping in task.groupings}
    known = {name.casefold(): (name,) for name in headings}
    fields = known.get(by.casefold()) or titles.get(by.casefold())
    if fields is None:
        raise UserError(f"--by {by}: {task.name} has no such heading. {did_you_mean(by, [*headings, OWN, TASKS])}")
    fixed = next((one.values for one in task.groupings if one.fields == fields), ())
    found = {tuple(outcome.group(name) for name in fields) for outcome in counts}
    lines = sorted((line for line in found if None not in line), key=lambda line: _place_of(line, fixed))
    specs = [ColumnSpec(", ".join(map(str, line)), dict(zip(fields, map(str, line), strict=True))) for line in lines]
    return [ColumnSpec("Avg", {}), *specs]


def _place_of(line: tuple[str | None, ...], fixed: Sequence[str]) -> tuple[int, str]:
    """Sort values as the script does, and others by name."""
    first = str(line[0])
    return (fixed.index(first) if first in fixed else len(fixed), ", ".join(map(str, line)))
