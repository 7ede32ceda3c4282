"""A report put together: one run, two runs side by side, or a training run with its first and last evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import dtbench
from dtbench.harness.compare.paired import comparison, pair_runs
from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.options import Argument, DataOfRun, Option, TaskFile
from dtbench.harness.report.around import judge_summaries, judged_chains, related_runs
from dtbench.harness.report.clips import MODES, ReportClip, inside, links, notes
from dtbench.harness.report.document import MARK, document, references
from dtbench.harness.report.figures import figures
from dtbench.harness.report.rows import rows
from dtbench.harness.report.training import BASE, TrainingCurves, is_training, outcome, plainly, recipe, stages
from dtbench.harness.score.stored_run import StoredTask, find_data
from dtbench.harness.score.summary import summarise
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_json import without_shared_clips
from dtbench.tasks.stored import stored_task


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """Which runs the page shows, and what of their clips."""

    runs: Annotated[
        Sequence[Path], Argument("RUN [RUN2]", "The folder of a run, of two runs, or of a training run.")
    ] = ()
    out: Annotated[Path | None, Option("--out", "FILE", "The page; else report.html in RUN.")] = None
    data_dir: DataOfRun = None
    audio: Annotated[str, Option("--audio", "MODE", "embed (up to 200 clips), link (files), or none.")] = "embed"
    task_file: TaskFile = None

    def __post_init__(self) -> None:
        """Refuse values that are not allowed."""
        if not 1 <= len(self.runs) <= 2:
            raise UserError("report takes the folder of a run, of two runs, or of a training run.")
        if self.audio not in MODES:
            raise UserError(f"--audio {self.audio}: unknown. {did_you_mean(self.audio, MODES)}")

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
    clips: Mapping[str, ReportClip]


def make(wish: ReportOptions) -> WrittenReport:
    """Write the report; a UserError where there is nothing to show."""
    trained = _trained(wish) if is_training(wish.run) else None
    names: Sequence[str] = () if trained is None else trained.pop("names")
    runs = _runs(wish) if trained is None else trained.pop("shown")
    out = _out(wish, runs)
    tasks = [_task(runs, name, wish, out) for name in _shared(runs)] if runs else []
    about = [_about(run) for run in runs]
    first = {
        "title": _title(wish, about),
        "made": datetime.now(UTC).isoformat(timespec="minutes"),
        "dtbench": dtbench.__version__,
        "audio": wish.audio,
        "runs": _named(about, names),
        "tasks": [task.first for task in tasks],
        "training": trained,
    }
    clips = {f"{place}/{id_}": one for place, task in enumerate(tasks) for id_, one in task.clips.items()}
    samples = {"tasks": [task.rows for task in tasks], "clips": references(clips)}
    page = document(first, samples, clips)
    replace_whole(out, page)
    told = [note for task in tasks for note in task.first["notes"]]
    heard = sum(not one.missing for one in clips.values())
    return WrittenReport(out, len(page), sum(len(task.rows) for task in tasks), heard, told)


def _runs(wish: ReportOptions) -> list[StoredRun]:
    return [StoredRun.open(path) for path in wish.runs]


def _shared(runs: Sequence[StoredRun]) -> list[str]:
    """The tasks that every run holds, in the order of the first."""
    held = [list(run.info["tasks"]) for run in runs]
    shared = [name for name in held[0] if all(name in names for names in held)]
    if not shared:
        told = " and ".join(f"{run.path} ({', '.join(names) or 'none'})" for run, names in zip(runs, held, strict=True))
        raise UserError(f"{told} have no task in common: name two runs of one task, or one run alone.")
    return shared


def _out(wish: ReportOptions, runs: Sequence[StoredRun]) -> Path:
    out = wish.out or wish.run / "report.html"
    if out.is_dir():
        raise UserError(f"--out {out}: this is a folder; name a file, such as {out / 'report.html'}.")
    if not out.parent.is_dir():
        raise UserError(f"--out {out}: there is no folder {out.parent}; make it, or name another.")
    if out.exists() and not _is_report(out):
        raise UserError(f"--out {out}: this file is no report, and is not overwritten; name another.")
    return out


def _is_report(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return MARK.encode() in file.read(4096)
    except OSError:
        return False


def _task(runs: Sequence[StoredRun], name: str, wish: ReportOptions, out: Path) -> _Task:
    parts = [stored_task(run, name, wish.task_file) for run in runs]
    records = [list(part.records()) for part in parts]
    data = _data(parts, wish.data_dir)
    made = rows(parts, records, data)
    told: list[str] = []
    for place, run in enumerate(runs):
        _add_marks(made, place, judged_chains(run, name, told.append))
    comparable = len(runs) > 1 and parts[0].task.answers_public
    compare = comparison(pair_runs(runs[0], runs[1], name, "official")) if comparable else None
    clips = _heard(wish, data, made, out)
    told += notes(clips, len(made), wish.audio)
    if lacking := sum(row["question"] is None for row in made):
        told.append(
            f"{name}: {lacking} of {len(made)} questions were not found, so only what was answered is shown: name "
            f"their folder with --data-dir"
        )
    first = {
        "name": name,
        "title": parts[0].task.title or name,
        "headings": list(dict.fromkeys(heading for row in made for heading in row["groups"])),
        "known": parts[0].task.answers_public,
        "runs": [
            figures(run, part, each)
            | {"data": part.about["data"], "judges": judge_summaries(run, name)}
            | {"related": related_runs(run, name, told.append)}
            for run, part, each in zip(runs, parts, records, strict=True)
        ],
        "compare": compare,
        "notes": told,
    }
    return _Task(first, made, clips)


def _data(parts: Sequence[StoredTask], data_dir: Path | None) -> list[Dataset | None]:
    """The questions of each run; a UserError where data_dir has those of none of them."""
    found: list[Dataset | None] = []
    refused: list[UserError] = []
    for part in parts:
        try:
            found.append(find_data(part, data_dir))
        except UserError as error:
            refused.append(error)
            found.append(find_data(part, None))
    if len(refused) == len(parts):
        raise refused[0]
    return found


def _add_marks(made: Iterable[dict[str, Any]], run: int, found: Mapping[str, list[dict[str, Any]]]) -> None:
    """Put what judges marked beside the answer that they read."""
    for row in made:
        for answer in row["runs"][run]:
            judged = [one for one in found.get(row["id"], []) if one["repeat"] == answer["repeat"]]
            if judged:
                answer["judged"] = judged


def _heard(
    wish: ReportOptions, data: Sequence[Dataset | None], made: Sequence[dict[str, Any]], out: Path
) -> Mapping[str, ReportClip]:
    ids = [row["id"] for row in sorted(made, key=_interest)]
    if wish.audio == "none":
        return {}
    return inside(data, ids) if wish.audio == "embed" else links(data, ids, out)


def _interest(row: Mapping[str, Any]) -> int:
    """What one wants to hear first: what changed between runs, then what is not right, then the rest."""
    states = [[answer["state"] == "right" for answer in run] for run in row["runs"]]
    shares = {sum(run) / len(run) for run in states if run}
    return 0 if len(shares) > 1 else 1 if shares != {1.0} else 2


def _about(run: StoredRun) -> dict[str, Any]:
    info = run.info
    model = info["model"]
    settings = {name: value for name, value in without_shared_clips(info).items() if name != "starts"}
    name = model.get("model") or model.get("name") or info["endpoint"].get("spec") or run.path.name
    return {
        "path": str(run.path),
        "model": str(name),
        "status": info["status"],
        "start": info["start"],
        "end": info["end"],
        "settings": plainly(settings | {"last start": info["starts"][-1]}),
    }


def _named(runs: list[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """With a name for each: the given one, the model's, and where that is the same twice, the folder's too."""
    if names:
        return [run | {"name": name} for run, name in zip(runs, names, strict=True)]
    same = len({run["model"] for run in runs}) < len(runs)
    return [run | {"name": f"{run['model']} ({Path(run['path']).name})" if same else run["model"]} for run in runs]


def _title(wish: ReportOptions, about: Sequence[Mapping[str, Any]]) -> str:
    if is_training(wish.run):
        return f"Training {wish.run.resolve().name}"
    return " against ".join(dict.fromkeys(run["model"] for run in about))


def _trained(wish: ReportOptions) -> dict[str, Any]:
    """The stages of a training run with their curves, and which evaluations the browser of samples shows."""
    if len(wish.runs) > 1:
        raise UserError(f"{wish.runs[1]}: a training run is shown by itself: leave the second folder out.")
    found = stages(wish.run)
    evaluated = [(one.name, one.evaluated) for one in found if one.evaluated is not None and not one.otherwise]
    shown = evaluated if len(evaluated) < 2 else [evaluated[0], evaluated[-1]]
    told = outcome(wish.run)
    return {
        "shown": [run for _, run in shown],
        "names": [name for name, _ in shown],
        "recipe": recipe(wish.run),
        "stages": [
            {
                "name": stage.name,
                "about": plainly(dict(stage.about)),
                "state": str(stage.about.get("state", "")),
                "curves": stage.curves,
                "torn": stage.torn,
                "otherwise": stage.otherwise,
                "scores": [
                    score | {"marks": told.rows.get((stage.name, score["task"]), {})}
                    for score in _scores(stage, wish.task_file)
                ],
            }
            for stage in found
            if stage.name != BASE or stage.evaluated is not None
        ],
        "paired": told.paired,
    }


def _scores(stage: TrainingCurves, task_file: Path | None) -> list[dict[str, Any]]:
    run = stage.evaluated
    if run is None:
        return []
    scores = []
    for name in run.info["tasks"]:
        part = stored_task(run, name, task_file)
        repeats, scorer = part.repeats, part.scorer
        summary = summarise(part.task, part.records(), expected=part.expected, samples_k=repeats, scorer=scorer)
        scores.append({key: summary[key] for key in ("task", "n", "official", "strict", "unanswered", "chains")})
    return scores
