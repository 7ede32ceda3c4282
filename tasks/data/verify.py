"""Check a data set as a whole: counts, content, answers, and every clip to its end."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtbench.harness.audio.prepare import ClipFacts, MissingClip, inspect_clip, read_clip
from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DataError
from dtbench.harness.core.schema import Clip, Sample, clip_name
from dtbench.harness.core.scorable import scoring_fault
from dtbench.harness.core.task import Task, load_questions
from dtbench.tasks.data.sources import PUBLISHED_CONTENT, PUBLISHED_FAULTS

Progress = Callable[[int, int], None]
"""Called with (clips done, clips in all)."""


@dataclass(frozen=True, slots=True)
class ClipReport:
    """What the clips that decode are, and which do not."""

    decoded: int
    seconds: float
    longest: float
    rates: Mapping[int, int]
    channels: Mapping[int, int]
    formats: Mapping[str, int]
    missing: tuple[str, ...]
    broken: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DataReport:
    """A data set, and every problem in it."""

    task: str
    data: Dataset
    published: int | None
    problems: tuple[str, ...]
    clips: ClipReport | None

    def as_json(self) -> dict[str, Any]:
        """Return the report for machines."""
        clips = self.clips and {name: getattr(self.clips, name) for name in ClipReport.__slots__}
        return {
            "task": self.task,
            "ok": not self.problems,
            "version": self.data.version,
            "source": self.data.source,
            "sha256": self.data.sha256,
            "items": len(self.data.samples),
            "published": self.published,
            "notes": self.data.notes,
            "problems": self.problems,
            "clips": clips,
        }


def verify_dataset(
    task: Task, data_dir: Path | None, *, audio: bool = True, subset: bool = False, progress: Progress | None = None
) -> DataReport:
    """Check the data set of a task in a folder; a subset may have fewer items than were published."""
    data = load_questions(task, data_dir)
    problems = [
        *_content_problems(task, data, subset),
        *_heading_problems(task, data.samples),
        *_scoring_problems(task, data.samples),
    ]
    clips = _check_clips(data.samples, progress or (lambda done, total: None)) if audio else None
    if clips:
        problems += _clip_problems(clips)
    return DataReport(task.name, data, task.size, tuple(problems), clips)


def _content_problems(task: Task, data: Dataset, subset: bool) -> Iterator[str]:
    count = len(data.samples)
    if task.size is not None and (count > task.size or (count < task.size and not subset)):
        yield f"{count} items, but {task.size} were published (--subset accepts fewer)"
    known = PUBLISHED_CONTENT.get((task.name, data.version))
    if count == task.size and (known or data.sha256) != data.sha256:
        found = f"sha256 is {data.sha256[:12]}, {known} is expected"
        yield f"the content differs from the published {data.version}: {found}"
    lost = data.unanswerable
    if len(lost) > PUBLISHED_FAULTS.get((task.name, data.version), 0):
        yield f"{len(lost)} answers are not among their options (first: {lost[0]!r})"


def _heading_problems(task: Task, samples: Sequence[Sample]) -> Iterator[str]:
    for grouping in task.groupings:
        if not grouping.values:
            continue
        (heading,) = grouping.fields
        counts = Counter(sample.groups.get(heading, "none") for sample in samples)
        for value in counts.keys() - set(grouping.values):
            yield f"{counts[value]} items have the {heading} {value!r}, which the official script does not know"


def _scoring_problems(task: Task, samples: Sequence[Sample]) -> Iterator[str]:
    found = [(sample.id, fault) for sample in samples if (fault := scoring_fault(task, sample))]
    if found:
        id_, fault = found[0]
        yield f"{len(found)} questions cannot be scored (first: {id_!r}: {fault})"


def _clip_problems(clips: ClipReport) -> Iterator[str]:
    if clips.missing:
        total = clips.decoded + len(clips.missing) + len(clips.broken)
        yield f"{len(clips.missing)} of {total} clips are missing (first: {clips.missing[0]})"
    for message, count in Counter(clips.broken).items():
        yield message if count == 1 else f"{message} ({count} clips)"


def _check_clips(samples: Sequence[Sample], progress: Progress) -> ClipReport:
    facts: list[ClipFacts] = []
    missing: list[str] = []
    broken: list[str] = []
    clips = [clip for sample in samples for clip in sample.clips]
    for done, (clip, result) in enumerate(_results(clips), start=1):
        if isinstance(result, ClipFacts):
            facts.append(result)
        elif isinstance(result, MissingClip):
            missing.append(clip_name(clip))
        else:
            broken.append(str(result))
        progress(done, len(clips))
    return ClipReport(
        decoded=len(facts),
        seconds=sum(fact.seconds for fact in facts),
        longest=max((fact.seconds for fact in facts), default=0.0),
        rates=Counter(fact.rate for fact in facts),
        channels=Counter(fact.channels for fact in facts),
        formats=Counter(fact.format for fact in facts),
        missing=tuple(missing),
        broken=tuple(broken),
    )


def _results(clips: Sequence[Path | Clip]) -> Iterator[tuple[Path | Clip, ClipFacts | DataError]]:
    pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
    try:
        yield from zip(clips, pool.map(_check_clip, clips), strict=True)
    finally:
        pool.shutdown(cancel_futures=True)  # so that Ctrl-C need not wait for thousands of clips


def _check_clip(clip: Path | Clip) -> ClipFacts | DataError:
    try:
        return inspect_clip(read_clip(clip), clip_name(clip))
    except DataError as error:
        return error
