"""Where runs fail, and where one gains on another, by sound: stored answers joined to what their clips sound like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.acoustics.clips import MEASURED_SECONDS, MISSING, MeasuredClips, measure_clips, sound_of
from dtbench.harness.acoustics.columns import Values
from dtbench.harness.acoustics.groups import ScoreOfClip, SoundAnswer, adjust, measure_figures, trends_of
from dtbench.harness.audio.prepare import hash_clip
from dtbench.harness.core.errors import DataError
from dtbench.harness.core.model import Notify
from dtbench.harness.core.schema import Clip, NoClip
from dtbench.harness.score.outcomes import Outcomes
from dtbench.harness.score.stored_run import StoredTask
from dtbench.harness.store.acoustic_types import AcousticChange, AcousticFigures
from dtbench.harness.store.types import Record


class TaskClips(NamedTuple):
    """The clips of a task's questions."""

    hashes: Mapping[str, str]
    """Question -> the hash of its clip, where it has one that is known."""
    clips: Mapping[str, Path | Clip | None]
    """Hash -> the clip; None where the data is not at hand."""
    unknown: int
    """Questions whose clip is not there to be hashed."""


def task_clips(part: StoredTask) -> TaskClips:
    """Return the clips that the questions of a stored task are about, by the hashes that its records have."""
    hashes: dict[str, str] = {}
    asked: dict[str, None] = {}
    for record in part.records():
        asked[record["id"]] = None
        if (audio := record["audio"]) is not None and (known := audio.get("clip_hash")):
            hashes[record["id"]] = known
    sounds: dict[str, Path | Clip] = {}
    if part.data is not None:
        places = part.data.places()
        sounds = {id_: sound_of(part.data.samples[places[id_]]) for id_ in asked if id_ in places}
    unknown = 0
    for id_ in asked:
        if id_ in hashes or isinstance(sounds.get(id_), NoClip):
            continue
        try:
            hashes[id_] = hash_clip(sounds[id_])
        except (KeyError, DataError):
            unknown += 1
    return TaskClips(hashes, {hash_: sounds.get(id_) for id_, hash_ in hashes.items()}, unknown)


def measure_tasks(tasks: Sequence[TaskClips], jobs: int | None, notify: Notify | None = None) -> MeasuredClips:
    """Measure the clips of several tasks, each clip once."""
    clips: dict[str, Path | Clip | None] = {}
    for task in tasks:
        for clip_hash, clip in task.clips.items():
            clips[clip_hash] = clips.get(clip_hash) or clip
    return measure_clips(clips, jobs, notify)


def run_by_sound(
    answers: Sequence[Sequence[SoundAnswer]], tasks: Sequence[TaskClips], measured: MeasuredClips
) -> list[AcousticFigures]:
    """Return the accuracy by sound of each task of a run; p values are adjusted for the trends of all of them."""
    figures = [task_by_sound(each, clips, measured) for each, clips in zip(answers, tasks, strict=True)]
    adjust(measure["trend"] for each in figures for measure in each["measures"].values())
    return figures


def stored_answers(records: Iterable[Record], clips: TaskClips) -> list[SoundAnswer]:
    """Return the stored verdicts on each answer, with the hash of its clip."""
    answers = []
    for answer in Outcomes(records).answers():
        verdict = answer.outcome.official
        official = verdict.value if verdict.counted else None
        answers.append(SoundAnswer(clips.hashes.get(answer.id, ""), official, answer.right))
    return answers


def task_by_sound(
    answers: Sequence[SoundAnswer],
    clips: TaskClips,
    measured: MeasuredClips,
    *,
    among: Mapping[str, Values] | None = None,
) -> AcousticFigures:
    """Return the accuracy by sound of one task; p values are not adjusted yet.

    Groups have about equal numbers of the clips `among` these; None for the task's own.
    """
    columns = {one: measured.columns[one] for one in clips.clips} if among is None else among
    failed = Counter(measured.failed[one] for one in clips.clips if one in measured.failed)
    failed[MISSING] += clips.unknown
    return {
        "clips": len(clips.clips) + clips.unknown,
        "measured_seconds": MEASURED_SECONDS,
        "failed": {why: n for why, n in sorted(failed.items()) if n},
        "measures": measure_figures(answers, columns),
    }


def mean_scores(records: Iterable[Record]) -> dict[str, float]:
    """Return the share of each question's answers that are right, by the strict score."""
    answers: dict[str, list[bool]] = {}
    for answer in Outcomes(records).answers():
        answers.setdefault(answer.id, []).append(answer.right)
    return {id_: sum(right) / len(right) for id_, right in answers.items()}


def change_by_sound(
    before: Mapping[str, float], after: Mapping[str, float], clips: TaskClips, measured: MeasuredClips
) -> AcousticChange:
    """Return the trend of the second run's gain over each measure; p values are not adjusted yet."""
    both = [id_ for id_ in before if id_ in after]
    scores = [ScoreOfClip(clips.hashes[id_], after[id_] - before[id_]) for id_ in both if id_ in clips.hashes]
    return {"questions": len(both), "measures": trends_of(scores, measured.columns)}


def failed_notes(figures: Iterable[AcousticFigures]) -> list[str]:
    """Return a note on clips that could not be measured."""
    notes = []
    for each in figures:
        if each["failed"]:
            why = ", ".join(f"{n} {reason}" for reason, n in each["failed"].items())
            notes.append(f"{sum(each['failed'].values())} of {each['clips']} clips could not be measured: {why}")
    return notes
