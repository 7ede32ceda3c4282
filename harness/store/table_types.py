"""The types of what `dtbench table` and `dtbench plot` print as JSON: tables with a row for each run."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from dtbench.harness.store.comparison_types import ConfounderFigures

TableScore = Literal["official", "strict", "rubric"]
TASKS = "task"
"""What --by takes for a column for each benchmark."""
OWN = "group"
"""What --by takes for the benchmark's own columns."""


class TableColumn(TypedDict):
    """A column of figures."""

    title: str
    unit: Literal["share", "characters"]
    """A share is from 0 to 1; the length of the reasoning is in characters."""
    of: Literal["score", "rubrics", "reasoning"]
    """What it shows: the accuracy, the marks of a judge, or the length of the reasoning."""


class TableCell(TypedDict):
    """One figure of one row, with its 95 % interval."""

    value: float
    low: float | None
    high: float | None
    """Null where there is no interval."""
    n: int | None
    """How many answers it is of; null where that is not known."""
    rank: NotRequired[Literal["best", "second"]]
    """Among the rows that can be compared, by the figure as it is shown."""
    chance: NotRequired[float]
    """What guessing gives; absent where the questions' options are not at hand."""
    beyond_chance: NotRequired[bool]
    """Whether the whole interval lies above what guessing gives."""
    difference: NotRequired[float]
    """This run less the first one, over the questions that both answered."""
    p_adjusted: NotRequired[float]
    """That the run equals the first one, by a paired test, corrected by Holm for all cells of the table."""


class TableRow(TypedDict):
    """One run, or one published report."""

    label: str
    kind: Literal["run", "published", "guessing"]
    source: str
    """The folder of a run, or the title of what published the numbers."""
    not_comparable: str
    """Why its figures are of something else, such as another version of the data; empty where they are not."""
    cells: list[TableCell | None]
    """One for each column; null where there is no figure."""
    confounders: NotRequired[list[ConfounderFigures]]
    """The settings, beside the model, in which it differs from the first run."""


class ResultTable(TypedDict):
    """The table of one benchmark, or of all where each is a column."""

    title: str
    score: TableScore
    """What the cells of its groups show."""
    by: str
    """What its columns are: the benchmark's own, a heading of the questions, or the benchmarks."""
    columns: list[TableColumn]
    rows: list[TableRow]
    caption: list[str]
    """One sentence each: what the figures, the signs and the tests are."""
    notes: list[str]
    """What is not as it should be: missing answers, settings that differ."""


class WrittenPicture(TypedDict):
    """A picture that was written."""

    path: str
    kind: str
    size: int
    """In bytes."""
