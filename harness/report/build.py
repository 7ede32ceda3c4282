"""A report put together: one run, two runs side by side, or a training run with its first and last evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import dtbench
from dtbench.harness.compare.paired import comparison, pair_runs
from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.options import OUTPUT, Argument, DataOfRun, Option, TaskFile
from dtbench.harness.report.clips import (
    CLIPS_SIZE,
    MODES,
    QuestionClip,
    clip_notes,
    embed_clips,
    link_clips,
    parse_size,
    room_notes,
    wanted_clips,
)
from dtbench.harness.report.document import MARK, clip_references, render_page
from dtbench.harness.report.encode_clips import ReportClip
from dtbench.harness.report.figures import task_figures
from dtbench.harness.report.rows import judged_chains, sample_rows
from dtbench.harness.report.training import (
    BASE,
    TrainingCurves,
    flat_texts,
    is_training,
    training_outcome,
    training_recipe,
    training_stages,
)
from dtbench.harness.score.stored_run import StoredTask, find_data
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_json import without_question_lists
from dtbench.tasks.stored import stored_task


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """Which runs the page shows, and what of their clips."""

    runs: Annotated[
        Sequence[Path],
        Argument("RUN [RUN2]", "One run folder, two, or the folder of a training.", values="runs", is_run=True),
    ] = ()
    out: Annotated[
        Path | None, Option("--out", "FILE", "The page.", panel=OUTPUT, shown="RUN/report.html", values="files")
    ] = None
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
            "Most that embedded clips take of the page: what changed goes in first, then wrong, then right answers.",
            panel=OUTPUT,
        ),
    ] = CLIPS_SIZE
    task_file: TaskFile = None

    def __post_init__(self) -> None:
        """Refuse values that are not allowed."""
        if not 1 <= len(self.runs) <= 2:
            raise UserError("report: one run folder, two, or the folder of a training is expected.")
        if self.audio not in MODES:
            raise UserError(f"--clips {self.audio}: unknown. {did_you_mean(self.audio, MODES)}")
        parse_size(self.clips_size)

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


class _Task(NamedTuple):
    first: dict[str, Any]
    rows: list[dict[str, Any]]
    wanted: list[QuestionClip]


def make_report(options: ReportOptions) -> WrittenReport:
    """Write the report; a UserError where there is nothing to show."""
    trained = _training_figures(options) if is_training(options.run) else None
    names: Sequence[str] = () if trained is None else trained.pop("names")
    runs = [StoredRun.open(path) for path in options.runs] if trained is None else trained.pop("shown")
    out = _out(options, runs)
    tasks = [_task(runs, name, options, out) for name in _shared(runs)] if runs else []
    about = [_describe_run(run) for run in runs]
    title = f"Training {options.run.resolve().name}"
    if trained is None:
        title = " against ".join(dict.fromkeys(run["name"] for run in _with_names(about, names)))
    first = {
        "title": title,
        "made": datetime.now(UTC).isoformat(timespec="minutes"),
        "dtbench": dtbench.__version__,
        "audio": options.audio,
        "runs": _with_names(about, names),
        "tasks": [task.first for task in tasks],
        "training": trained,
    }
    clips = _clips(tasks, options, out)
    samples = {"tasks": [task.rows for task in tasks], "clips": clip_references(clips)}
    page = render_page(first, samples, clips)
    replace_whole(out, page)
    lines = [note for task in tasks for note in task.first["notes"]]
    audible = sum(not one.missing for one in clips.values())
    return WrittenReport(out, len(page), sum(len(task.rows) for task in tasks), audible, lines)


def _shared(runs: Sequence[StoredRun]) -> list[str]:
    """Return the tasks that all runs have, in the order of the first; a UserError where there is none."""
    names_of_runs = [list(run.info["tasks"]) for run in runs]
    shared = [name for name in names_of_runs[0] if all(name in names for names in names_of_runs)]
    if not shared:
        listed = " and ".join(
            f"{run.path} ({', '.join(names) or 'none'})" for run, names in zip(runs, names_of_runs, strict=True)
        )
        raise UserError(f"{listed} have no task in common: name two runs of the same task, or a single run.")
    return shared


def _out(options: ReportOptions, runs: Sequence[StoredRun]) -> Path:
    out = options.out or options.run / "report.html"
    if out.is_dir():
        raise UserError(f"--out {out}: this is a folder; name a file, such as {out / 'report.html'}.")
    if not out.parent.is_dir():
        raise UserError(f"--out {out}: the folder {out.parent} does not exist; create it, or name another.")
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


def _task(runs: Sequence[StoredRun], name: str, options: ReportOptions, out: Path) -> _Task:
    parts = [stored_task(run, name, options.task_file) for run in runs]
    records = [list(part.records()) for part in parts]
    data = _datasets(parts, options.data_dir)
    parts = [replace(part, data=one) for part, one in zip(parts, data, strict=True)]
    lines: list[str] = []
    page_rows = sample_rows(parts, records, data, [judged_chains(run, name, lines.append) for run in runs])
    comparable = len(runs) > 1 and parts[0].task.answers_public
    compare = comparison(pair_runs(runs[0], runs[1], name, "official")) if comparable else None
    if unknown := sum(row["question"] is None for row in page_rows):
        lines.append(
            f"{name}: the text of {unknown} of {len(page_rows)} questions was not found, so only answers are shown: "
            f"name the folder of the data with --data-dir"
        )
    first = {
        "name": name,
        "title": parts[0].task.title or name,
        "headings": list(dict.fromkeys(heading for row in page_rows for heading in row["groups"])),
        "known": parts[0].task.answers_public,
        "runs": [
            task_figures(run, part, each, lines.append) for run, part, each in zip(runs, parts, records, strict=True)
        ],
        "compare": compare,
        "notes": lines,
    }
    return _Task(first, page_rows, wanted_clips(data, {row["id"]: _interest(row) for row in page_rows}))


def _clips(tasks: Sequence[_Task], options: ReportOptions, out: Path) -> dict[str, ReportClip]:
    """Return the clips by the place of their task and their question, and add to the notes which are not there."""
    if options.audio == "none":
        return {}
    if options.audio == "link":
        clips: list[Mapping[str, ReportClip]] = [link_clips(task.wanted, out) for task in tasks]
    else:
        embedded = embed_clips([task.wanted for task in tasks], parse_size(options.clips_size))
        clips = [one.clips for one in embedded]
        for task, one in zip(tasks, embedded, strict=True):
            task.first["notes"] += room_notes(one, len(task.rows), options.clips_size)
    for task, each in zip(tasks, clips, strict=True):
        task.first["notes"] += clip_notes(each, len(task.rows))
    return {f"{place}/{id_}": one for place, each in enumerate(clips) for id_, one in each.items()}


def _datasets(parts: Sequence[StoredTask], data_dir: Path | None) -> list[Dataset | None]:
    """Load the questions of each run; a UserError where data_dir has those of none of them."""
    datasets: list[Dataset | None] = []
    refused: list[UserError] = []
    for part in parts:
        try:
            datasets.append(find_data(part, data_dir))
        except UserError as error:
            refused.append(error)
            datasets.append(find_data(part, None))
    if len(refused) == len(parts):
        raise refused[0]
    return datasets


def _interest(row: Mapping[str, Any]) -> int:
    """Rank a question for the report: 0 where runs differ, 1 where an answer is not right, 2 for the rest."""
    states = [[answer["state"] == "right" for answer in run] for run in row["runs"]]
    shares = {sum(run) / len(run) for run in states if run}
    return 0 if len(shares) > 1 else 1 if shares != {1.0} else 2


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


def _with_names(runs: list[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Add a name to each run: the given one, or the model's, with the folder's where two models have the same name."""
    if names:
        return [run | {"name": name} for run, name in zip(runs, names, strict=True)]
    if len({run["model"] for run in runs}) == len(runs):
        return [run | {"name": run["model"]} for run in runs]
    folders = _short_paths([Path(run["path"]).resolve() for run in runs])
    return [run | {"name": f"{run['model']} ({folder})"} for run, folder in zip(runs, folders, strict=True)]


def _short_paths(paths: Sequence[Path]) -> list[str]:
    """Return the ends of the paths by which they can be told apart."""
    for count in range(1, max(len(path.parts) for path in paths)):
        ends = [Path(*path.parts[-count:]).as_posix() for path in paths]
        if len({*ends}) == len(paths):
            return ends
    return [path.as_posix() for path in paths]


def _training_figures(options: ReportOptions) -> dict[str, Any]:
    """Return the stages of a training run with their curves, and which evaluations the browser of samples shows."""
    if len(options.runs) > 1:
        raise UserError(f"{options.runs[1]}: a training is reported alone: leave the other folder out.")
    curves = training_stages(options.run)
    evaluated = [(one.name, one.evaluated) for one in curves if one.evaluated is not None and not one.otherwise]
    shown = evaluated if len(evaluated) < 2 else [evaluated[0], evaluated[-1]]
    outcome = training_outcome(options.run)
    return {
        "shown": [run for _, run in shown],
        "names": [name for name, _ in shown],
        "recipe": training_recipe(options.run),
        "stages": [
            {
                "name": stage.name,
                "about": flat_texts(dict(stage.about)),
                "state": str(stage.about.get("state", "")),
                "curves": stage.curves,
                "torn": stage.torn,
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
