"""`--acoustics` of `dtbench score` and `compare`: accuracy by what clips sound like, and its trends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dtbench.harness.cli.tables import NONE, percent, print_rows
from dtbench.harness.cli.terminal import print_line, print_note

if TYPE_CHECKING:
    from dtbench.harness.acoustics.groups import SoundAnswer
    from dtbench.harness.compare.by_sound import TaskClips
    from dtbench.harness.score.stored_run import RescoredTask
    from dtbench.harness.store.acoustic_types import AcousticChange, AcousticFigures, TrendFigures
    from dtbench.harness.store.comparison_types import ComparisonAmongSeveral
    from dtbench.harness.store.run_folder import StoredRun
    from dtbench.harness.store.share_types import ShareFigures

INTERVAL = "95 %"
TREND_COLUMNS = ("", "points", INTERVAL, "p", "adjusted p", "clips")


class SoundOptions(Protocol):
    """Where the clips are, and how many are measured at once."""

    @property
    def data_dir(self) -> Path | None:
        """The folder of the data."""

    @property
    def task_file(self) -> Path | None:
        """The file that defines a benchmark of one's own."""

    @property
    def jobs(self) -> int | None:
        """How many clips are measured at once."""


def add_acoustics(folder: Path, rescored: Sequence[RescoredTask], options: SoundOptions) -> None:
    """Measure the clips of a run that was scored again, and add its accuracy by sound to each summary."""
    from dataclasses import replace

    from dtbench.harness.compare.by_sound import measure_tasks, run_by_sound, task_clips
    from dtbench.harness.score.stored_run import find_data
    from dtbench.harness.store.run_folder import StoredRun
    from dtbench.tasks.stored import stored_task

    run = StoredRun.open(folder)
    parts = [stored_task(run, one.summary["task"], options.task_file) for one in rescored]
    tasks = [task_clips(replace(part, data=find_data(part, options.data_dir))) for part in parts]
    measured = measure_tasks(tasks, options.jobs, print_note)
    for note in measured.notes:
        print_note(note)
    answers = [_verdicts(one, clips) for one, clips in zip(rescored, tasks, strict=True)]
    for one, figures in zip(rescored, run_by_sound(answers, tasks, measured), strict=True):
        one.summary["acoustics"] = figures


def _verdicts(rescored: RescoredTask, clips: TaskClips) -> list[SoundAnswer]:
    """Return the verdict on each answer; a failure never takes the place of an answer."""
    from dtbench.harness.acoustics.groups import SoundAnswer

    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for row in rescored.rows:
        key = (row["id"], row["sample"])
        if key not in rows or row["failed"] is None:
            rows[key] = row
    return [
        SoundAnswer(
            clips.hashes.get(id_, ""),
            row.get("mark", float(row["official_correct"])) if row["official_counted"] else None,
            row["correct"] is True,
        )
        for (id_, _), row in rows.items()
    ]


def add_gains(
    comparisons: Sequence[ComparisonAmongSeveral], baseline: StoredRun, others: Sequence[StoredRun], jobs: int | None
) -> None:
    """Measure the clips of the baseline, and add where each run gains on it to its comparisons."""
    from dataclasses import replace

    from dtbench.harness.acoustics.groups import adjust
    from dtbench.harness.compare.by_sound import change_by_sound, mean_scores, measure_tasks, task_clips
    from dtbench.harness.score.stored_run import find_data
    from dtbench.tasks.stored import stored_task

    parts = {name: stored_task(baseline, name) for name in dict.fromkeys(one["task"] for one in comparisons)}
    clips = {name: task_clips(replace(part, data=find_data(part, None))) for name, part in parts.items()}
    measured = measure_tasks(list(clips.values()), jobs, print_note)
    for note in measured.notes:
        print_note(note)
    before = {name: mean_scores(part.records()) for name, part in parts.items()}
    runs = {str(run.path): run for run in others}
    for one in comparisons:
        after = mean_scores(runs[one["after_run"]].records(one["task"]))
        one["acoustics"] = change_by_sound(before[one["task"]], after, clips[one["task"]], measured)
    adjust(trend for one in comparisons for trend in one["acoustics"]["measures"].values())


def print_gains(change: AcousticChange) -> None:
    """Print the trend of a run's gain along each measure."""
    print_line(
        "Trends of the gain in the strict score, in points from the clip with the lowest value to that with the "
        "highest; p is adjusted for the number of trends (Holm)"
    )
    print_rows(TREND_COLUMNS, (_trend_row(name, trend) for name, trend in change["measures"].items()))


def print_acoustics(figures: AcousticFigures) -> None:
    """Print groups with intervals for each measure, then the trends."""
    from dtbench.harness.compare.by_sound import failed_notes

    print_line("Accuracy by sound, in %, each with its 95 % interval and the number of answers")
    print_rows(("", "official", INTERVAL, "n", "strict", INTERVAL, "n"), _group_rows(figures))
    print_line(
        "Trends of the strict score, in points from the clip with the lowest value to that with the highest; p is "
        "adjusted for the number of trends (Holm)"
    )
    trends = (_trend_row(name, measure["trend"]) for name, measure in figures["measures"].items())
    print_rows(TREND_COLUMNS, trends)
    for note in failed_notes([figures]):
        print_note(note)


def _group_rows(figures: AcousticFigures) -> Iterator[Sequence[str]]:
    for name, measure in figures["measures"].items():
        if not measure["groups"]:
            continue
        yield (name, *[""] * 6)
        for words, part in measure["groups"].items():
            official, strict = part["official"], part["strict"]
            counted = "0" if official is None else str(official["n"])
            yield (f"  {words}", *_share(official), counted, *_share(strict), str(strict["n"]))
        if measure["unmeasured"]:
            yield ("  not measured", *[""] * 5, str(measure["unmeasured"]))


def _share(found: ShareFigures | None) -> tuple[str, str]:
    return (NONE, "") if found is None else (percent(found["accuracy"]), _between(found["low"], found["high"]))


def _between(low: float, high: float) -> str:
    return f"{percent(low)}-{percent(high)}"


def _trend_row(name: str, trend: TrendFigures | None) -> Sequence[str]:
    return (name, *([NONE, *[""] * 4] if trend is None else _trend(trend)))


def _trend(trend: TrendFigures) -> Sequence[str]:
    between = f"{100 * trend['low']:+.1f} to {100 * trend['high']:+.1f}"
    return (
        f"{100 * trend['slope']:+.1f}",
        between,
        f"{trend['p']:.2g}",
        f"{trend['p_adjusted']:.2g}",
        str(trend["clips"]),
    )
