"""What stands below a table: what its figures and signs are, and what is not as it should be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dtbench.harness.store.summary_types import TaskSummary
from dtbench.harness.store.table_types import ResultTable, TableRow
from dtbench.harness.table.comparable import LEVEL, differs

BEYOND_CHANCE = "°"
DIFFERS = "†"
_SCORES = {
    "official": "Official accuracy in %, by the benchmark's own script.",
    "strict": "Strict accuracy in %: every question counts, and an answer that cannot be read is wrong.",
    "rubric": "Rubrics in %: the marks of a judge for the reasoning of right answers; a wrong answer has none.",
}


def caption_of(table: ResultTable, tests: int, judges: Sequence[str]) -> list[str]:
    """Say what the figures and the signs of a table are."""
    return list(_sentences(table, tests, judges))


def _sentences(table: ResultTable, tests: int, judges: Sequence[str]) -> Iterator[str]:
    yield _SCORES[table["score"]]
    cells = [cell for row in table["rows"] for cell in row["cells"] if cell is not None]
    runs = [row for row in table["rows"] if row["kind"] == "run"]
    if any("beyond_chance" in cell for cell in cells):
        yield f"{BEYOND_CHANCE}: the whole 95 % interval lies above what guessing gives."
    if tests:
        none = "" if any(map(differs, cells)) else "; none does"
        yield (
            f"{DIFFERS}: differs from {runs[0]['label']} (paired test on the same questions, p < {LEVEL:g} after "
            f"Holm's correction for {tests} cells{none})."
        )
    if any(row["kind"] == "published" for row in table["rows"]):
        yield "Published rows are numbers of others: other answers, not paired with these runs, without a test."
    if any(column["of"] == "rubrics" for column in table["columns"]):
        yield f"Rubrics: marks in %, judged by {', '.join(judges)}; published ones by judges of their own; no test."
    if any(column["of"] == "reasoning" for column in table["columns"]):
        yield "Reasoning: its mean length in characters, over the answers that have any."


def notes_of(rows: Iterable[TableRow], without: Sequence[str], summaries: Iterable[TaskSummary]) -> list[str]:
    """Say which runs are incomplete, were asked otherwise than the first one, or are not in the table."""
    notes = []
    rows = list(rows)
    for row in rows:
        notes += [
            f"{row['label']}: {one['name']} differs from {rows[0]['label']}: {one['before']} vs {one['after']}, so the "
            f"difference is not the model's alone"
            for one in row.get("confounders", ())
        ]
    for summary in summaries:
        if lost := summary["missing"] + summary["failed"]:
            notes.append(f"{summary['task']}: {lost} of {summary['n']} answers of a run are missing or failed")
        if summary["strict"]["accuracy"] is None:
            notes += summary["notes"][:1]
    notes += [f"{label}: this run has no such benchmark and is left out" for label in without]
    return list(dict.fromkeys(notes))
