"""What the clips of a samples table sound like, measured and joined by the hash of each clip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dtbench.harness.acoustics.clips import MISSING, measure_clips, sound_of
from dtbench.harness.acoustics.columns import COLUMNS
from dtbench.harness.audio.prepare import hash_clip
from dtbench.harness.core.errors import DataError
from dtbench.harness.core.model import Notify
from dtbench.harness.core.schema import Clip, NoClip, clip_name
from dtbench.harness.frames.questions import QuestionColumns
from dtbench.harness.score.run_questions import AbsentClip

if TYPE_CHECKING:
    import pyarrow

Questions = dict[tuple[str, str], QuestionColumns | None]
"""The questions by run and task, as the table names both."""


def with_sounds(table: pyarrow.Table, questions: Questions, notify: Notify) -> pyarrow.Table:
    """Add a column for each acoustic measure; null where a clip could not be measured, of which `notify` is told."""
    import pyarrow

    clips: dict[str, Path | Clip | None] = {}
    hashes: list[str | None] = []
    unknown = 0
    for clip_hash, clip in _clips(table, questions):
        hashes.append(clip_hash)
        unknown += clip_hash is None and not isinstance(clip, NoClip)
        if clip_hash is not None and clips.get(clip_hash) is None:
            clips[clip_hash] = clip
    told: list[str] = []
    measured = measure_clips(clips, notify=told.append)
    for line in told[-1:]:
        if "not kept" in line:
            notify(line)
    if measured.failed:
        why = ", ".join(f"{count} {reason}" for reason, count in Counter(measured.failed.values()).most_common())
        hint = "; name the folder of the data with data_dir" if MISSING in measured.failed.values() else ""
        notify(f"{len(measured.failed)} of {len(clips)} clips have no acoustic measures: {why}{hint}")
    if unknown:
        notify(f"{unknown} of {len(hashes)} answers have no acoustic measures: their clips are not known")
    for name in COLUMNS:
        values = [None if one is None else measured.columns[one][name] for one in hashes]
        table = table.append_column(name, pyarrow.array(values, pyarrow.float64()))
    return table


def _clips(table: pyarrow.Table, questions: Questions) -> Iterator[tuple[str | None, Path | Clip | None]]:
    """Yield the clip of each answer, after its hash; None for what is not at hand, a NoClip where there is none.

    Where the model heard none, as a baseline hears none, it is the clip that the question is about.
    """
    unheard: dict[str, str | None] = {}
    names: Sequence[str] = ("run", "task", "id", "clip_hash")
    for batch in table.select(names).to_batches():
        for run, task, id_, heard in zip(*(batch.column(name).to_pylist() for name in names), strict=True):
            known = questions.get((run, task))
            found = sound_of(known.sample(id_)) if known is not None and id_ in known.places else None
            clip = None if isinstance(found, AbsentClip) else found
            if heard is not None or clip is None or isinstance(clip, NoClip):
                yield heard, clip
                continue
            name = clip_name(clip)
            if name not in unheard:
                unheard[name] = _hash_of(clip)
            yield unheard[name], clip


def _hash_of(clip: Path | Clip) -> str | None:
    try:
        return hash_clip(clip)
    except DataError:
        return None
