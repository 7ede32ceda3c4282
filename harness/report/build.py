"""A report put together: any number of runs, or a training run with its first and last evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import dtbench
from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.options import OUTPUT, Argument, DataOfRun, Jobs, Option, TaskFile, check_options
from dtbench.harness.core.output_paths import refuse_no_file
from dtbench.harness.report.by_sound import SoundRequest, adjust_trends
from dtbench.harness.report.clips import (
    CLIPS_SIZE,
    MODES,
    clip_notes,
    embed_clips,
    link_clips,
    parse_size,
    room_notes,
)
from dtbench.harness.report.columns import PackedColumns
from dtbench.harness.report.document import MARK, PageData, clip_references, render_page
from dtbench.harness.report.encode_clips import ReportClip
from dtbench.harness.report.inside import probe_figures
from dtbench.harness.report.reasoning import faithful_figures
from dtbench.harness.report.rows import STATES
from dtbench.harness.report.run_names import refuse_labels, title_of, with_names
from dtbench.harness.report.task_page import TaskPage, TaskRequest, task_page
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_json import without_question_lists
from dtbench.harness.store.run_labels import refuse_repeated
from dtbench.harness.store.training_stages import (
    BASE,
    TrainingCurves,
    flat_texts,
    is_training,
    training_outcome,
    training_recipe,
    training_stages,
)
from dtbench.tasks.stored import stored_task


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """Which runs the page shows, and what of their clips."""

    runs: Annotated[
        Sequence[Path],
        Argument("RUN...", "Run folders, or the folder of a training.", values="runs", is_run=True),
    ] = ()
    out: Annotated[
        Path | None, Option("--out", "FILE", "The page.", panel=OUTPUT, shown="RUN/report.html", values="files")
    ] = None
    labels: Annotated[
        Sequence[str],
        Option(
            "--label",
            "TEXT",
            "Name of a run in the page (repeatable, in the order of the runs).",
            panel=OUTPUT,
            repeated=True,
            shown="the model's name",
        ),
    ] = ()
    data_dir: DataOfRun = None
    audio: Annotated[
        str,
        Option(
            "--clips",
            "MODE",
            "embed (small copies in the page), link (to the files) or none.",
            panel=OUTPUT,
            values=("embed", "link", "none"),
        ),
    ] = "embed"
    clips_size: Annotated[
        str,
        Option(
            "--clips-size",
            "SIZE",
            "Maximum size of embedded clips; changed questions go first, then wrong, then right answers.",
            panel=OUTPUT,
        ),
    ] = CLIPS_SIZE
    acoustics: Annotated[
        bool,
        Option(
            "--acoustics",
            None,
            "Also group questions by acoustic properties of the clips, and test the trends; needs dtbench[acoustics].",
            panel=OUTPUT,
        ),
    ] = False
    jobs: Jobs = None
    task_file: TaskFile = None

    def __post_init__(self) -> None:
        """Refuse values that are not allowed."""
        if not self.runs:
            raise UserError("report: run folders are expected, or the folder of a training.")
        refuse_labels(self.labels, len(self.runs))
        if self.audio not in MODES:
            raise UserError(f"--clips {self.audio}: unknown. {did_you_mean(self.audio, MODES)}")
        parse_size(self.clips_size)
        check_options(self)

    @property
    def run(self) -> Path:
        """The first run, or the training run."""
        return self.runs[0]


class WrittenReport(NamedTuple):
    """A report that was written."""

    path: Path
    size: int
    questions: int
    clips: int
    """How many can be heard."""
    notes: Sequence[str]


class OpenedRuns(NamedTuple):
    """The runs that a page shows."""

    runs: Sequence[StoredRun]
    names: Sequence[str]
    """Of the stages of a training; empty for others."""
    training: dict[str, Any] | None
    evaluated: Sequence[tuple[str, Path]] = ()
    """Of a training: the name and the folder of every evaluation."""


class BuiltPage(NamedTuple):
    """A page, and what it shows."""

    html: bytes
    tasks: Sequence[TaskPage]
    clips: Mapping[str, ReportClip]
    notes: Sequence[str]


ClipsOf = Callable[[Sequence[TaskPage]], Mapping[str, ReportClip]]
"""Returns the clips by the place of their task and their question."""


def make_report(options: ReportOptions) -> WrittenReport:
    """Write the report; a UserError where there is nothing to show."""
    opened = open_runs(options)
    out = _out(options)
    page = build_page(options, opened, lambda tasks: _clips(tasks, options, out))
    replace_whole(out, page.html)
    audible = sum(not one.missing for one in page.clips.values())
    return WrittenReport(out, len(page.html), sum(task.questions for task in page.tasks), audible, page.notes)


def open_runs(options: ReportOptions) -> OpenedRuns:
    """Open the runs that are named, or those of a training; a UserError where one is none."""
    trained = _training_figures(options) if is_training(options.run) else None
    refuse_repeated(options.runs)
    if trained is None:
        return OpenedRuns([StoredRun.open(path) for path in options.runs], (), None)
    return OpenedRuns(trained.pop("shown"), trained.pop("names"), trained, trained.pop("evaluated"))


def build_page(options: ReportOptions, opened: OpenedRuns, clips_of: ClipsOf) -> BuiltPage:
    """Build the page of these runs."""
    runs, names, trained, evaluated = opened
    columns = PackedColumns()
    shared, notes = _shared(runs) if runs else ([], [])
    sounds = SoundRequest(options.jobs) if options.acoustics else None
    tasks = [
        task_page(runs, TaskRequest(place, name, options.data_dir, options.task_file, sounds), columns)
        for place, name in enumerate(shared)
    ]
    adjust_trends([task.first["runs"] for task in tasks])
    about = with_names([_describe_run(run) for run in runs], options.labels or names)
    first = {
        "title": f"Training {options.run.resolve().name}" if trained is not None else title_of(about),
        "made": datetime.now(UTC).isoformat(timespec="minutes"),
        "dtbench": dtbench.__version__,
        "audio": options.audio,
        "runs": about,
        "notes": notes,
        "tasks": [task.first for task in tasks],
        "training": trained,
        "probes": probe_figures(options.run),
        "faithful": faithful_figures(evaluated or [(one["name"], Path(one["path"])) for one in about]),
    }
    clips = clips_of(tasks)
    samples = {"states": STATES, "tasks": [task.samples for task in tasks], "clips": clip_references(clips)}
    texts = [text for task in tasks for text in task.texts]
    page = render_page(first, PageData(columns.packed(samples), texts, clips))
    return BuiltPage(page, tasks, clips, [*notes, *(note for task in tasks for note in task.first["notes"])])


def _shared(runs: Sequence[StoredRun]) -> tuple[list[str], list[str]]:
    """Return the tasks that all runs have, in the order of the first, and what is left out; a UserError for none."""
    names_of_runs = [list(run.info["tasks"]) for run in runs]
    shared = [name for name in names_of_runs[0] if all(name in names for names in names_of_runs)]
    if not shared:
        listed = " and ".join(
            f"{run.path} ({', '.join(names) or 'none'})" for run, names in zip(runs, names_of_runs, strict=True)
        )
        raise UserError(f"{listed} have no task in common: name runs of the same task, or a single run.")
    others = dict.fromkeys(name for names in names_of_runs for name in names if name not in shared)
    notes = [
        f"{name} is left out: only {sum(name in names for names in names_of_runs)} of {len(runs)} runs have it"
        for name in others
    ]
    return shared, notes


def _out(options: ReportOptions) -> Path:
    out = options.out or options.run / "report.html"
    refuse_no_file("--out", out, such_as="report.html")
    if out.exists() and not _is_report(out):
        raise UserError(f"--out {out}: this file is not a report and is not overwritten; name another file.")
    return out


def _is_report(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return MARK.encode() in file.read(4096)
    except OSError:
        return False


def _clips(tasks: Sequence[TaskPage], options: ReportOptions, out: Path) -> dict[str, ReportClip]:
    """Return the clips by the place of their task and their question, and add to the notes which are not there."""
    if options.audio == "none":
        return {}
    if options.audio == "link":
        clips: list[Mapping[str, ReportClip]] = [link_clips(task.wanted, out) for task in tasks]
    else:
        embedded = embed_clips([task.wanted for task in tasks], parse_size(options.clips_size))
        clips = [one.clips for one in embedded]
        for task, one in zip(tasks, embedded, strict=True):
            task.first["notes"] += room_notes(one, task.questions, options.clips_size)
    for task, each in zip(tasks, clips, strict=True):
        task.first["notes"] += clip_notes(each, task.questions)
    return {f"{place}/{id_}": one for place, each in enumerate(clips) for id_, one in each.items()}


def _describe_run(run: StoredRun) -> dict[str, Any]:
    info = run.info
    model = info["model"]
    settings = {
        name: value for name, value in without_question_lists(info).items() if name not in {"starts", "request"}
    }
    name = model.get("model") or model.get("name") or info["endpoint"].get("spec") or run.path.name
    return {
        "path": str(run.path),
        "model": str(name),
        "status": info["status"],
        "start": info["start"],
        "end": info["end"],
        "settings": flat_texts(settings | {"last start": info["starts"][-1]}),
    }


def _training_figures(options: ReportOptions) -> dict[str, Any]:
    """Return the stages of a training run with their curves, and which evaluations the browser of samples shows."""
    if len(options.runs) > 1:
        raise UserError(f"{options.runs[1]}: a training is reported alone: leave the other folder out.")
    if options.labels:
        raise UserError("--label: the stages of a training have names already: leave --label out.")
    curves = training_stages(options.run)
    evaluated = [(one.name, one.evaluated) for one in curves if one.evaluated is not None and not one.otherwise]
    shown = evaluated if len(evaluated) < 2 else [evaluated[0], evaluated[-1]]
    outcome = training_outcome(options.run)
    return {
        "shown": [run for _, run in shown],
        "names": [name for name, _ in shown],
        "evaluated": [(name, run.path) for name, run in evaluated],
        "recipe": training_recipe(options.run),
        "stages": [
            {
                "name": stage.name,
                "about": flat_texts(dict(stage.about)),
                "state": str(stage.about.get("state", "")),
                "curves": stage.curves,
                "torn": stage.torn,
                "best": stage.about.get("best"),
                "otherwise": stage.otherwise,
                "scores": [
                    score | {"marks": outcome.rows.get((stage.name, score["task"]), {})}
                    for score in _scores(stage, options.task_file)
                ],
            }
            for stage in curves
            if stage.name != BASE or stage.evaluated is not None
        ],
        "paired": outcome.paired,
    }


def _scores(stage: TrainingCurves, task_file: Path | None) -> list[dict[str, Any]]:
    run = stage.evaluated
    if run is None:
        return []
    scores = []
    for name in run.info["tasks"]:
        part = stored_task(run, name, task_file)
        summary = part.summarise(part.records())
        scores.append({key: summary[key] for key in ("task", "n", "official", "strict", "unanswered", "chains")})
    return scores
