"""`dtbench data`: fetch a benchmark's data, check it, or convert published data to training rows."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dtbench.harness.cli.help_pages import HelpCommand
from dtbench.harness.cli.next_steps import NextStep, print_next
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.core.options import OUTPUT, Argument, AsJson, DataDir, Option
from dtbench.tasks import registry as task_registry

if TYPE_CHECKING:
    from dtbench.tasks.data.download import Arrival
    from dtbench.tasks.data.verify import ClipReport, DataReport

data_commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

TaskArgument = Annotated[str, Argument("TASK", "mmar, mmau-mini, mmau-test, mmsu or mini.", values="tasks")]
_SHOWN = 20


@data_commands.command(cls=HelpCommand)
@with_options
def pull(task: TaskArgument, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Download a benchmark's data into the data folder; that of mini is generated.

    Files are pinned to the published version and checked. The same command resumes.
    """
    from dtbench.harness.run.live_line import LiveCount, LiveLine, bytes_state
    from dtbench.tasks.data.download import fetch_all
    from dtbench.tasks.data.layouts import task_folder
    from dtbench.tasks.data.sources import SOURCES
    from dtbench.tasks.mini import SPLIT_OF
    from dtbench.tasks.mini_world.clips import write_split

    definition = task_registry.get_task(task)
    folder = task_folder(definition.name, data_dir)
    live = LiveLine(quiet=as_json)

    def show(arrival: Arrival) -> AbstractContextManager[None]:
        return live.showing(arrival.file.name, lambda s: bytes_state(arrival.arrived(), arrival.expected, s))

    if definition.name in SPLIT_OF:
        clips = LiveCount("clips")
        with live.showing(definition.name, clips.state):
            files = write_split(SPLIT_OF[definition.name], folder, clips.set)
    elif definition.name in SOURCES:
        files = fetch_all(definition.name, SOURCES[definition.name], folder, show)
    else:
        raise UserError(f"{task}: dtbench knows no download for it. Known: {', '.join([*SOURCES, *SPLIT_OF])}.")
    data = definition.load(folder)
    if as_json:
        fetched = [{"file": str(f.file), "bytes": f.size, "sha256": f.sha256, "page": f.page} for f in files]
        report = {"task": definition.name, "folder": str(folder), "files": fetched, "version": data.version}
        typer.echo(json.dumps({**report, "items": len(data.samples), "sha256": data.sha256, "notes": data.notes}))
        return
    for file in files:
        typer.echo(f"{file.file}  {file.size:,} bytes  sha256 {file.sha256[:12]}")
    typer.echo(f"{definition.name}: {data.version}, {len(data.samples)} items in {folder}")
    for note in data.notes:
        typer.echo(f"note: {note}")
    where = [] if data_dir is None else ["--data-dir", str(data_dir)]
    print_next(
        NextStep(["data", "verify", definition.name, *where], "is every clip whole?"),
        NextStep(["run", "--model", "MODEL", "--tasks", definition.name, *where], "a checkpoint, hub id or URL"),
    )


@data_commands.command(cls=HelpCommand)
@with_options
def verify(
    task: TaskArgument,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    no_audio: Annotated[bool, Option("--no-audio", None, "Do not check the clips.")] = False,
    subset: Annotated[bool, Option("--subset", None, "Accept fewer items than were published.")] = False,
) -> None:
    """Check a benchmark's data: number of items, content, answers, and that every clip exists and decodes."""
    from dtbench.harness.run.live_line import LiveCount, LiveLine
    from dtbench.tasks.data.verify import verify_dataset

    definition = task_registry.get_task(task)
    clips = LiveCount("clips")
    with LiveLine(quiet=as_json).showing(definition.name, clips.state):
        report = verify_dataset(definition, data_dir, audio=not no_audio, subset=subset, progress=clips.set)
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        _print(report)
    if report.problems:
        raise typer.Exit(DataError.exit_code)
    where = [] if data_dir is None else ["--data-dir", str(data_dir)]
    ask = ["run", "--model", "MODEL", "--tasks", definition.name, *where]
    print_next(NextStep(ask, "a checkpoint, hub id or URL"), quiet=as_json)


@data_commands.command(cls=HelpCommand)
@with_options
def convert(
    name: Annotated[
        str,
        Argument(
            "DATASET",
            "avqa, audiomcq, musicbench, iemocap or music-avqa.",
            values=("avqa", "audiomcq", "musicbench", "iemocap", "music-avqa"),
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


def _print(report: DataReport) -> None:
    data = report.data
    of = f" of {report.published}" if report.published else ""
    typer.echo(f"{report.task}: {data.version}, {len(data.samples)}{of} items, sha256 {data.sha256[:12]}")
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
