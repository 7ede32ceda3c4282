"""`dtbench score`: the official score of a prediction file or a run, and a strict one beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dtbench.harness.cli.options import AsJson, TaskFile, TaskName, chosen_task
from dtbench.harness.cli.score_run import RescoreOptions, print_scored, score_again, write_summaries
from dtbench.harness.core.errors import MachineryError, UserError, one_line

if TYPE_CHECKING:
    from dtbench.harness.core.task import Task
    from dtbench.harness.score.prediction_file import Count, PredictionScores

Run = Annotated[
    Path | None, typer.Argument(metavar="[RUN]", help="A run's folder, scored again from what is stored in it.")
]
Predicted = Annotated[Path | None, typer.Option("--predictions", metavar="FILE", help="The official prediction file.")]
Metadata = Annotated[
    Path | None,
    typer.Option(
        "--metadata", metavar="FILE", help="The benchmark's metadata, for files that hold ids and predictions."
    ),
]
Scorer = Annotated[str | None, typer.Option("--scorer", metavar="V", help="Version of the script (mmsu: 2026, 2025).")]
RowsFile = Annotated[
    Path | None, typer.Option("--rows", metavar="OUT.jsonl", help="Write the verdicts on every record.")
]
Duplicates = Annotated[bool, typer.Option("--allow-duplicates", help="Score repeated ids record by record.")]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", metavar="D", help="For RUN: the data sets, where they are not found.")
]
Write = Annotated[bool, typer.Option("--write", help="For RUN: rewrite its summary.json.")]


def command(  # noqa: PLR0913 - the parameters of a command are its options
    run: Run = None,
    task: TaskName = None,
    predictions: Predicted = None,
    metadata: Metadata = None,
    scorer: Scorer = None,
    rows: RowsFile = None,
    allow_duplicates: Duplicates = False,
    task_file: TaskFile = None,
    data_dir: DataDir = None,
    write: Write = False,
    as_json: AsJson = False,
) -> None:
    """Score a prediction file, or a run again, exactly as the benchmark's authors do."""
    if run is not None:
        _refuse_with_run("--predictions", predictions)
        _refuse_with_run("--metadata", metadata)
        _score_run(RescoreOptions(run, task, task_file, scorer, data_dir), rows, as_json=as_json, write=write)
        return
    from dtbench.harness.score.prediction_file import score_predictions
    from dtbench.harness.score.predictions import read_predictions

    chosen = chosen_task(task, task_file)
    version = _scorer(chosen, scorer)
    if predictions is None:
        raise UserError("--predictions is missing: name the file of predictions to score.")
    if write or data_dir is not None:
        raise UserError(f"{'--write' if write else f'--data-dir {data_dir}'}: only the folder of a run takes this.")
    _refuse_overwriting(rows, predictions, metadata)
    report = score_predictions(
        chosen, version, read_predictions(chosen, predictions, metadata, allow_duplicates=allow_duplicates)
    )
    if rows is not None:
        _write_rows(rows, (score.as_json() for score in report.rows))
    if as_json:
        typer.echo(json.dumps(report.as_json()))
    else:
        _print(report)


def _refuse_with_run(option: str, value: Path | None) -> None:
    if value is not None:
        raise UserError(f"{option} {value}: a run holds its own answers; name either RUN or --predictions.")


def _score_run(wish: RescoreOptions, rows: Path | None, *, as_json: bool, write: bool) -> None:
    _refuse_overwriting(rows, *wish.run.glob("*"))
    scored = score_again(wish, rows=rows is not None)
    if rows is not None:
        _write_rows(rows, (line for done in scored for line in done.rows))
    if write:
        write_summaries(wish.run, scored)
    print_scored(scored, as_json=as_json)


def _scorer(task: Task, wanted: str | None) -> str:
    if not task.answers_public:
        raise UserError(
            f"{task.name}: its authors keep the answers, so it cannot be scored here; send them the predictions."
        )
    if wanted is None:
        return task.official_versions[0]
    if wanted not in task.official_versions:
        raise UserError(
            f"--scorer {wanted}: the versions of {task.name}'s script are {', '.join(task.official_versions)}; "
            f"without --scorer it is {task.official_versions[0]}."
        )
    return wanted


def _refuse_overwriting(rows: Path | None, *inputs: Path | None) -> None:
    for file in inputs:
        if rows is not None and file is not None and rows.is_file() and file.exists() and rows.samefile(file):
            raise UserError(f"--rows {rows}: this is a file that is read here; name another one to write to.")


def _write_rows(path: Path, scores: Iterable[Mapping[str, Any]]) -> None:
    lines = "".join(json.dumps(score) + "\n" for score in scores)
    try:
        path.write_text(lines, encoding="utf-8")
    except OSError as error:
        raise MachineryError(
            f"--rows {path}: could not be written ({error.strerror}); name a file in a folder that is there."
        ) from None


def _print(report: PredictionScores) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for line in _above(report):
        console.print(line, markup=False, soft_wrap=True)
    table = Table()
    table.add_column("official", overflow="fold")
    for title in ("accuracy", "correct", "counted"):
        table.add_column(title, justify="right", no_wrap=True)
    shown = report.task.decimals
    for grouping, counts in report.groups.items():
        table.add_section()
        table.add_row(Text(one_line(grouping.title)), style="bold")
        for value, count in counts.items():
            table.add_row(Text(f"  {one_line(value)}"), *_cells(count, shown))
    table.add_section()
    table.add_row("Total", *_cells(report.total, shown))
    console.print(table)
    for line in _below(report):
        console.print(line, markup=False, soft_wrap=True)


def _cells(count: Count, shown: str) -> tuple[str, str, str]:
    return shown.format(count.accuracy), str(count.correct), str(count.counted)


def _above(report: PredictionScores) -> Iterator[str]:
    scorer = f", script of {report.scorer}" if len(report.task.official_versions) > 1 else ""
    data = f", data {report.version}" if report.version else ""
    yield one_line(f"{report.task.name}{scorer}{data}: {report.strict.n} items")


def _below(report: PredictionScores) -> Iterator[str]:
    strict = report.strict
    yield (
        f"strict       {strict.accuracy:.2%} ({strict.correct} of all {strict.n} items; "
        f"95 % interval {strict.low:.2%} to {strict.high:.2%})"
    )
    yield f"unanswered   {report.unanswered} (no option could be read from the text; wrong in the strict score)"
    why = "; ".join(f"{count} {reason}" for reason, count in report.dropped.items())
    yield f"dropped      {sum(report.dropped.values())} from the official denominator{f': {why}' if why else ''}"
    for note in report.notes:
        yield one_line(f"note         {note}")
