"""`dtbench data`: fetch a benchmark's data, check it, save it as a data set, or convert published data to rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from dtbench.harness.cli.help_pages import HelpCommand
from dtbench.harness.cli.next_steps import NextStep, print_next
from dtbench.harness.cli.terminal import print_line
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.core.options import OUTPUT, Argument, AsJson, DataDir, Limit, Option, TaskFile
from dtbench.tasks import registry as task_registry
from dtbench.tasks.suites import expand_suites

if TYPE_CHECKING:
    from dtbench.harness.core.dataset import Dataset
    from dtbench.harness.core.task import Task
    from dtbench.tasks.data.download import Arrival, Fetched
    from dtbench.tasks.data.verify import ClipReport, DataReport

data_commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

TaskNames = Annotated[
    Sequence[str],
    Argument(
        "TASK...",
        "Benchmarks by name, as `dtbench tasks` lists them; suites, task files or hf:ORG/NAME.",
        missing="name a benchmark, such as mmar.",
        values="tasks",
    ),
]
TaskNamesOrFile = Annotated[
    Sequence[str],
    Argument(
        "[TASK...]",
        "Benchmarks by name, as `dtbench tasks` lists them; suites, task files or hf:ORG/NAME.",
        values="tasks",
    ),
]
_SHOWN = 20
_CONVERTED = (
    *("avqa", "audiomcq", "musicbench", "iemocap", "music-avqa"),
    *("audioset", "magnatagatune", "switchboard", "cochlscene"),
)
"""The data sets that convert knows; a test compares them with the converters, which cost time to load."""


_FILE_SUFFIXES = (".csv", ".tsv", ".parquet", ".arrow", ".txt", ".zip")
"""A --to that ends so was meant as a file, which `data load` does not write."""


class Pulled(NamedTuple):
    """The data of one benchmark, as it was fetched or generated."""

    task: str
    folder: Path
    files: Sequence[Fetched]
    data: Dataset

    def as_json(self) -> dict[str, Any]:
        """Return what arrived, as JSON."""
        files = [{"file": str(f.file), "bytes": f.size, "sha256": f.sha256, "page": f.page} for f in self.files]
        about = {"version": self.data.version, "items": len(self.data.samples), "sha256": self.data.sha256}
        return {"task": self.task, "folder": str(self.folder), "files": files, **about, "notes": self.data.notes}


@data_commands.command(cls=HelpCommand)
@with_options
def pull(tasks: TaskNames = (), data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Download the data of benchmarks into the data folder (for mini, generate it).

    Files are pinned to the published version and checked. The same command resumes.
    """
    definitions = _definitions(tasks)
    pulled = [_pull(one, data_dir, quiet=as_json) for one in definitions]
    if as_json:
        _print_json([one.as_json() for one in pulled])
        return
    for one in pulled:
        for file in one.files[:_SHOWN]:
            typer.echo(f"{file.file}  {file.size:,} bytes  sha256 {file.sha256[:12]}")
        if len(one.files) > _SHOWN:
            typer.echo(f"{len(one.files) - _SHOWN} more files, {sum(file.size for file in one.files):,} bytes in all")
        typer.echo(f"{one.task}: {_version(one.data)}, {len(one.data.samples)} items in {one.folder}")
        for note in one.data.notes:
            typer.echo(f"note: {note}")
    where = [] if data_dir is None else ["--data-dir", str(data_dir)]
    print_next(
        NextStep(["data", "verify", *tasks, *where], "is every clip whole?"),
        NextStep(["run", "--model", "MODEL", "--tasks", ",".join(tasks), *where], "a checkpoint, hub id or URL"),
    )


def _version(data: Dataset) -> str:
    """Return the version as people read it: `1, 600 items` would be 1,600."""
    return f"version {data.version}" if data.version.isdigit() else data.version


def _definitions(names: Sequence[str]) -> list[Task]:
    """Return the benchmarks of these names, which commas may separate as well."""
    each = [name.strip() for text in names for name in text.split(",") if name.strip()]
    return [task_registry.get_task(name) for name in expand_suites(each)]


def _pull(task: Task, data_dir: Path | None, *, quiet: bool) -> Pulled:
    from dtbench.harness.run.live_line import LiveCount, LiveLine, bytes_state
    from dtbench.tasks.data.download import fetch_all
    from dtbench.tasks.data.layouts import task_folder
    from dtbench.tasks.data.sources import SOURCES
    from dtbench.tasks.declared.task import DeclaredTask
    from dtbench.tasks.mini_world.clips import write_split
    from dtbench.tasks.mini_world.splits import SPLIT_OF

    folder, live = task_folder(task.name, data_dir), LiveLine(quiet=quiet)

    def show(arrival: Arrival) -> AbstractContextManager[None]:
        return live.showing(arrival.file.name, lambda s: bytes_state(arrival.arrived(), arrival.expected, s))

    if task.name in SPLIT_OF:
        clips = LiveCount("clips")
        with live.showing(task.name, clips.state):
            files = write_split(SPLIT_OF[task.name], folder, clips.set)
    elif task.name in SOURCES:
        files = fetch_all(task.name, SOURCES[task.name], folder, show)
    elif isinstance(task, DeclaredTask):
        files = task.fetch(folder, show)
        return Pulled(task.name, folder, files, task.load(folder if files else data_dir))
    else:
        raise UserError(f"{task.name}: dtbench knows no download for it. Known: {', '.join([*SOURCES, *SPLIT_OF])}.")
    return Pulled(task.name, folder, files, task.load(folder))


@data_commands.command(cls=HelpCommand)
@with_options
def verify(
    tasks: TaskNamesOrFile = (),
    task_file: TaskFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    no_audio: Annotated[bool, Option("--no-audio", None, "Do not check the clips.")] = False,
    subset: Annotated[bool, Option("--subset", None, "Accept fewer items than were published.")] = False,
) -> None:
    """Check the data of benchmarks: number of items, content, answers, and that every clip exists and decodes."""
    from dtbench.harness.run.live_line import LiveCount, LiveLine
    from dtbench.tasks.data.verify import verify_dataset

    if not tasks and task_file is None:
        raise UserError("TASK: name a benchmark, such as mmar, or your own with --task-file.")
    reports = []
    own = [] if task_file is None else [task_registry.task_from_file(task_file)]
    for task in [*_definitions(tasks), *own]:
        clips = LiveCount("clips")
        with LiveLine(quiet=as_json).showing(task.name, clips.state):
            reports.append(verify_dataset(task, data_dir, audio=not no_audio, subset=subset, progress=clips.set))
        if not as_json:
            _print(reports[-1])
    if as_json:
        _print_json([report.as_json() for report in reports])
    if any(report.problems for report in reports):
        raise typer.Exit(DataError.exit_code)
    where = [] if data_dir is None else ["--data-dir", str(data_dir)]
    named = ",".join(name for text in tasks for name in text.split(",") if name.strip())
    where += ["--task-file", str(task_file)] if own else []
    ask = ["run", "--model", "MODEL", *(["--tasks", named] if named else []), *where]
    print_next(NextStep(ask, "a checkpoint, hub id or URL"), quiet=as_json)


def _print_json(reports: Sequence[Any]) -> None:
    """Print the report of one benchmark, or the list of those of several."""
    typer.echo(json.dumps(reports[0] if len(reports) == 1 else reports, ensure_ascii=False))


@data_commands.command(cls=HelpCommand)
@with_options
def convert(
    name: Annotated[
        str,
        Argument(
            "DATASET",
            f"{', '.join(_CONVERTED[:-1])} or {_CONVERTED[-1]}.",
            values=_CONVERTED,
        ),
    ],
    folder: Annotated[Path, Argument("FOLDER", "The data set as published.", values="folders")],
    out: Annotated[Path, Option("--out", "FILE", "File of training rows to write.", panel=OUTPUT, values="files")],
    as_json: AsJson = False,
) -> None:
    """Convert a published data set to training rows.

    Items that make no row are counted, by reason.
    """
    from dtbench.training.data.converters.conversion import convert_dataset
    from dtbench.training.data.rows import write_rows

    converted = convert_dataset(name, folder)
    count = write_rows(out, converted.rows)
    skipped = dict(converted.skipped.most_common())
    if as_json:
        typer.echo(json.dumps({"rows": count, "drafts": converted.drafts, "skipped": skipped, "file": str(out)}))
        return
    for why, number in skipped.items():
        typer.echo(f"left out {number:>7}  {why}")
    typer.echo(f"{out}: {count} rows, {converted.drafts} of them lack a question or reasoning")
    if converted.drafts:
        endpoints = ["--captioner-base-url", "URL", "--base-url", "URL"]
        print_next(NextStep(["cot", out, *endpoints, "--out", out.with_name("cot")], "write what they lack"))
    else:
        print_next(NextStep(["mine", out, "--model", "CKPT", "--out", out.with_name("mined")], "keep what teaches"))


@data_commands.command(cls=HelpCommand)
@with_options
def load(
    source: Annotated[
        str | None,
        Argument(
            "[TASK]",
            "A benchmark, or training rows: a file, a folder of datasets, a training split such as mini-train-1.",
            values="tasks",
        ),
    ] = None,
    to: Annotated[
        Path | None,
        Option(
            "--to",
            "DIR",
            "New folder for the data set; for rows also a file that ends in .jsonl.",
            panel=OUTPUT,
            shown="required",
            values="folders",
        ),
    ] = None,
    task_file: TaskFile = None,
    data_dir: DataDir = None,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """Save a benchmark or training rows with their clips as a data set that `datasets.load_from_disk` opens.

    Clips are as published, in an Audio column that is not decoded.
    """
    from dtbench.harness.export.task_dataset import task_dataset
    from dtbench.training.data.dataset_folder import is_dataset_folder
    from dtbench.training.data.row_sources import split_task
    from dtbench.training.data.rows_dataset import ROWS_SUFFIXES, copy_rows

    if (source is None) == (task_file is None):
        raise UserError("TASK: name a benchmark, such as mini, or your own with --task-file.")
    if to is None:
        raise UserError("--to is missing: name the folder to write, such as --to mini-dataset.")
    if to.suffix in _FILE_SUFFIXES:
        what = "a data set is a folder; training rows are also a file that ends in .jsonl"
        raise UserError(f"--to {to}: {what}.")
    rows = Path(source or "")
    if split_task(str(source)) is not None or rows.suffix in ROWS_SUFFIXES or is_dataset_folder(rows):
        count = copy_rows(str(source), to, limit, data_dir)
    else:
        task = task_registry.get_task(str(source)) if task_file is None else task_registry.task_from_file(task_file)
        if to.suffix in ROWS_SUFFIXES:
            raise UserError(f"--to {to}: a benchmark is saved in a folder; only training rows are a file too.")
        count = len(task_dataset(task, to, data_dir=data_dir, limit=limit))
        source = task.name
    if as_json:
        typer.echo(json.dumps({"source": source, "path": str(to), "rows": count}))
        return
    print_line(f"{source}: {count} rows in {to}")


def _print(report: DataReport) -> None:
    data = report.data
    of = f" of {report.published}" if report.published else ""
    typer.echo(f"{report.task}: {_version(data)}, {len(data.samples)}{of} items, sha256 {data.sha256[:12]}")
    typer.echo(f"read: {data.source}")
    for note in data.notes:
        typer.echo(f"note: {note}")
    if report.clips:
        typer.echo(_clip_line(report.clips))
    for problem in report.problems[:_SHOWN]:
        typer.echo(f"problem: {problem}")
    if len(report.problems) > _SHOWN:
        typer.echo(f"problem: {len(report.problems) - _SHOWN} more; --json lists them all")
    typer.echo(f"problems found: {len(report.problems) or 'none'}")


def _clip_line(clips: ClipReport) -> str:
    if not clips.decoded:
        return "clips: none can be decoded"
    rates = ", ".join(f"{rate} Hz {count}" for rate, count in sorted(clips.rates.items()))
    channels = ", ".join(f"{number}-channel {count}" for number, count in sorted(clips.channels.items()))
    formats = ", ".join(f"{name} {count}" for name, count in sorted(clips.formats.items()))
    length = f"{clips.seconds / 3600:.2f} h, longest {clips.longest:.1f} s"
    return f"clips: {clips.decoded} decoded ({length}; {rates}; {channels}; {formats})"
