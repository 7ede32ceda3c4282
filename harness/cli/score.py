"""`dtbench score`: the official score of a prediction file or a run, and a strict one beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dtbench.harness.cli.next_steps import NextStep, print_next
from dtbench.harness.cli.paper_tables import print_paper_tables
from dtbench.harness.cli.robustness_table import print_robustness
from dtbench.harness.cli.tables import evidence_line, output_file, print_summary
from dtbench.harness.cli.tasks import named_task
from dtbench.harness.cli.terminal import print_line
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.errors import UserError, one_line
from dtbench.harness.core.options import (
    MIN_EVIDENCE,
    OUTPUT,
    TESTS,
    Argument,
    AsJson,
    Chain,
    DataOfRun,
    Jobs,
    Option,
    TaskFile,
    TaskName,
    check_options,
)

if TYPE_CHECKING:
    from dtbench.harness.score.prediction_scores import Count, PredictionScores


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOptions:
    """What is scored, a run or a prediction file, and how."""

    run: Annotated[
        Path | None, Argument("[RUN]", "Run folder whose stored answers to score again.", values="runs", is_run=True)
    ] = None
    task: TaskName = None
    predictions: Annotated[
        Path | None, Option("--predictions", "FILE", "Prediction file in the benchmark's own format.", values="files")
    ] = None
    metadata: Annotated[
        Path | None,
        Option(
            "--metadata",
            "FILE",
            "The benchmark's metadata, for prediction files that hold only ids and predictions.",
            values="files",
        ),
    ] = None
    scorer: Annotated[
        str | None,
        Option(
            "--scorer",
            "VERSION",
            "Version of the official script (mmsu: 2026 or 2025).",
            panel=TESTS,
            shown="the newest",
        ),
    ] = None
    rows: Annotated[
        Path | None,
        Option("--rows", "FILE", "Write the verdict on every record, as JSON lines.", panel=OUTPUT, values="files"),
    ] = None
    allow_duplicates: Annotated[bool, Option("--allow-duplicates", None, "Score every record of a repeated id.")] = (
        False
    )
    min_evidence: Annotated[str | None, MIN_EVIDENCE] = None
    """None for that of the run; of a prediction file, for that of a run without the option."""
    task_file: TaskFile = None
    data_dir: DataOfRun = None
    chain: Chain = None
    tables: Annotated[
        bool,
        Option(
            "--tables",
            None,
            "Also print groups with intervals, letter bias, accuracy by length of reasoning, pass@k and majority@k.",
            panel=OUTPUT,
        ),
    ] = False
    acoustics: Annotated[
        bool,
        Option(
            "--acoustics",
            None,
            "Also print accuracy by what the clips sound like (loudness, noise, pitch, tempo, ...), with a test of "
            "each trend; needs dtbench[acoustics].",
            panel=OUTPUT,
        ),
    ] = False
    jobs: Jobs = None
    write: Annotated[bool, Option("--write", None, "Store the new verdicts and summary in RUN.", panel=OUTPUT)] = False

    def __post_init__(self) -> None:
        """Refuse values that are not allowed."""
        check_options(self)


@with_options
def score_command(options: ScoreOptions, as_json: AsJson = False) -> None:
    """Score a prediction file, or a stored run again, exactly as the benchmark's authors do.

    A strict score stands next to the official one: all items count, and an answer must be readable without guessing.
    """
    if options.run is not None:
        _score_run(options.run, options, as_json=as_json)
        return
    report = _score_file(options)
    if options.rows is not None:
        _write_rows(options.rows, (score.as_json() for score in report.rows))
    if as_json:
        typer.echo(json.dumps(report.as_json()))
    else:
        _print(report)


def _score_file(options: ScoreOptions) -> PredictionScores:
    from dtbench.harness.extract.evidence import DEFAULT_MIN_EVIDENCE
    from dtbench.harness.score.prediction_file import read_predictions
    from dtbench.harness.score.prediction_scores import score_predictions, script_version

    if options.task is None and options.task_file is None and options.predictions is None:
        raise UserError("score: name a run's folder, or --task TASK --predictions FILE.")
    task = named_task(options.task, options.task_file)
    version = script_version(task, options.scorer)
    file, metadata = options.predictions, options.metadata
    if file is None:
        raise UserError("--predictions is missing: name the prediction file to score, or a run folder.")
    of_runs = {
        "--write": options.write,
        "--tables": options.tables,
        "--acoustics": options.acoustics,
        f"-j {options.jobs}": options.jobs is not None,
        f"--data-dir {options.data_dir}": options.data_dir is not None,
    }
    if flag := next((flag for flag, given in of_runs.items() if given), None):
        raise UserError(f"{flag}: this option needs a run folder, not --predictions.")
    _refuse_overwriting(options.rows, file, metadata)
    predictions = read_predictions(task, file, metadata, allow_duplicates=options.allow_duplicates)
    evidence = options.min_evidence or DEFAULT_MIN_EVIDENCE
    return score_predictions(task, version, predictions, min_evidence=evidence, chain=options.chain)


def _score_run(folder: Path, options: ScoreOptions, *, as_json: bool) -> None:
    from dtbench.harness.cli.acoustic_tables import add_acoustics, print_acoustics
    from dtbench.harness.store.run_folder import StoredRun
    from dtbench.tasks.stored import RescoreOptions, rescore_run, rewrite_run

    for flag, value in (("--predictions", options.predictions), ("--metadata", options.metadata)):
        if value is not None:
            raise UserError(
                f"{flag} {value}: this option is for prediction files, and a run has its own answers; give one of them."
            )
    if folder.is_file() and not (folder.parent / "run.json").exists():
        given = f"--task TASK --predictions {folder}"
        raise UserError(f"{folder}: not a run folder: this is a file. Predictions are scored by {given}.")
    _refuse_overwriting(options.rows, *folder.glob("*"))
    wanted = RescoreOptions(
        only=options.task,
        task_file=options.task_file,
        scorer=options.scorer,
        data_dir=options.data_dir,
        min_evidence=options.min_evidence,
        chain=options.chain,
        rows=options.rows is not None or options.acoustics,
    )
    rescored = rewrite_run(folder, wanted) if options.write else rescore_run(StoredRun.open(folder), wanted)
    if options.rows is not None:
        _write_rows(options.rows, (line for one in rescored for line in one.rows))
    if options.acoustics:
        add_acoustics(folder, rescored, options)
    if as_json:
        typer.echo(json.dumps([one.summary for one in rescored]))
        return
    for one in rescored:
        print_summary(one.summary, groups=not options.tables)
        print_robustness(one.summary.get("robustness", ()))
        if options.tables:
            print_paper_tables(one.summary)
        if (by_sound := one.summary.get("acoustics")) is not None:
            print_acoustics(by_sound)
    print_next(NextStep(["report", folder], "every answer on one page"))


def _refuse_overwriting(rows: Path | None, *inputs: Path | None) -> None:
    for file in inputs:
        if rows is not None and file is not None and rows.is_file() and file.exists() and rows.samefile(file):
            raise UserError(f"--rows {rows}: this file is also an input; name another file to write to.")


def _write_rows(path: Path, scores: Iterable[Mapping[str, Any]]) -> None:
    with output_file("--rows", path) as file:
        file.writelines(json.dumps(score) + "\n" for score in scores)


def _print(report: PredictionScores) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    scorer = f", script of {report.scorer}" if len(report.task.official_versions) > 1 else ""
    data = f", data {report.version}" if report.version else ""
    heading = one_line(f"{report.task.name}{scorer}{data}: {report.strict.n} items")
    print_line(heading)
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
        print_line(line, indent=15)


def _cells(count: Count, shown: str) -> tuple[str, str, str]:
    return shown.format(count.accuracy), str(count.correct), str(count.counted)


def _below(report: PredictionScores) -> Iterator[str]:
    strict = report.strict
    yield (
        f"strict         {strict.accuracy:.2%} ({strict.correct} of all {strict.n} items; "
        f"95 % interval {strict.low:.2%} to {strict.high:.2%})"
    )
    weak = f", or only from too weak evidence ({report.set_aside})" if report.set_aside else ""
    unread = f"no answer could be extracted{weak}; counted as wrong in the strict score"
    yield f"unanswered     {report.unanswered} ({unread})"
    if line := evidence_line(report.evidence, report.min_evidence):
        yield f"evidence       {line}"
    why = "; ".join(f"{count} {reason}" for reason, count in report.dropped.items())
    yield f"dropped        {sum(report.dropped.values())} from the official denominator{f': {why}' if why else ''}"
    for note in report.notes:
        yield one_line(f"note           {note}")
