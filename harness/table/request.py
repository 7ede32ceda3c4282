"""What `dtbench table` is asked for: which runs, which columns, and what stands in a cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.options import OUTPUT, TESTS, Argument, Option, RunLabels, TaskFile, check_options
from dtbench.harness.core.typed_settings import between
from dtbench.harness.store.table_types import TASKS

SCORES_OF_TABLES = ("official", "strict", "rubric")
INTERVALS = ("none", "brackets", "below")
FORMATS = {"md": "--md", "tex": "--latex", "csv": "--csv", "html": "--html"}
"""How a file ends, and the switch that gives the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """Which runs stand in the table, and how; a UserError where a value is not allowed."""

    runs: Annotated[
        Sequence[Path],
        Argument("RUN...", "Run folders, one row each; each is tested against the first.", values="runs", is_run=True),
    ] = ()
    by: Annotated[
        str | None,
        Option(
            "--by",
            "HEADING",
            "One column per value of this heading, or `task` for one per benchmark.",
            shown="the columns of the benchmark's own table",
        ),
    ] = None
    task: Annotated[
        str | None, Option("--task", "TASK", "Only this benchmark of the runs.", shown="all", values="tasks")
    ] = None
    labels: RunLabels = ()
    score: Annotated[
        str,
        Option(
            "--score",
            "KIND",
            "official (the benchmark's own script), strict (every item, no guess) or rubric (marks of a judge).",
            panel=TESTS,
            values=SCORES_OF_TABLES,
        ),
    ] = "official"
    published: Annotated[
        bool,
        Option("--published", None, "Add all comparable published scores, marked as such.", panel=OUTPUT),
    ] = False
    reports: Annotated[
        Sequence[str],
        Option(
            "--with",
            "MODEL",
            "Add the published scores of this model, comparable or not (repeatable).",
            panel=OUTPUT,
        ),
    ] = ()
    rubric: Annotated[
        bool,
        Option(
            "--rubric",
            None,
            "Add the marks of judges and the length of the reasoning; the marks are added anyway if a judge scored one "
            "of the runs.",
            panel=OUTPUT,
        ),
    ] = False
    interval: Annotated[
        str,
        Option(
            "--interval",
            "WHERE",
            "95 % intervals: brackets (after each number), below (on a separate line) or none.",
            panel=OUTPUT,
            values=INTERVALS,
        ),
    ] = "none"
    decimals: Annotated[int, Option("--decimals", "N", "Decimals of percentages.", panel=OUTPUT), between(0, 4)] = 1
    task_file: TaskFile = None

    def __post_init__(self) -> None:
        """Refuse values that are not allowed."""
        check_options(self)
        if not self.runs:
            raise UserError("table: one run folder or more is expected, the one to compare with first.")
        for flag, value, allowed in (
            ("--score", self.score, SCORES_OF_TABLES),
            ("--interval", self.interval, INTERVALS),
        ):
            if value not in allowed:
                raise UserError(f"{flag} {value}: unknown. {did_you_mean(value, allowed)}")
        if (self.published or self.reports) and self.score != "official":
            raise UserError(
                f"--score {self.score}: published scores are official ones; leave --published and --with out, or "
                f"take --score official."
            )
        if (self.published or self.reports) and self.by == TASKS:
            raise UserError("--by task: published rows stand in the table of one benchmark; leave --by out.")
