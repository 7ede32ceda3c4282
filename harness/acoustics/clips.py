"""Measure many clips: those that are known from the cache, the others in threads, the faulty ones counted."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.acoustics.cache import MeasureCache
from dtbench.harness.acoustics.columns import COLUMNS, LENGTH, Values, no_values
from dtbench.harness.audio.prepare import MissingClip, decode_beginning, hash_clip
from dtbench.harness.core.errors import DataError, DtbenchError, UserError
from dtbench.harness.core.installed import install_command
from dtbench.harness.core.model import Notify
from dtbench.harness.core.schema import Clip, Sample, clip_name

MEASURED_SECONDS = 60.0
"""Of a longer clip the beginning is measured, so that time and memory have a bound: 100 MB for each clip at work."""
MISSING, FAULTY, OTHER = "missing", "not sound from end to end", "other audio than the run heard"
"""Why a clip has no measures."""
_EACH = 500
"""After so many clips a line says how far it is."""

Clips = Mapping[str, Path | Clip | None]
"""hash_clip() -> the clip; None where only its hash is known, which is enough if it was measured before."""


@dataclass(frozen=True, slots=True)
class ClipSet:
    """The clips of one question, which are measured together."""

    clips: tuple[Path | Clip, ...]

    @property
    def label(self) -> str:
        """The names of its clips."""
        return " and ".join(map(clip_name, self.clips))

    def read(self) -> bytes:
        """Return the hashes of its clips, a line each: the hash of that is the one that records have of them."""
        return "".join(f"{hash_clip(clip)}\n" for clip in self.clips).encode()


def sound_of(sample: Sample) -> Path | Clip:
    """Return what is heard with a question: its clip, all of several together, or a NoClip."""
    return ClipSet(sample.clips) if len(sample.clips) > 1 else sample.audio


class MeasuredClips(NamedTuple):
    """What was measured, and what could not be."""

    columns: dict[str, Values]
    """Of each clip by its hash; all None where it could not be measured."""
    failed: dict[str, str]
    """Hash -> why: MISSING, FAULTY or OTHER."""
    notes: list[str]
    """What else a user should know."""


def acoustic_columns(clips: Clips, jobs: int | None = None) -> dict[str, Values]:
    """Return the columns of each clip by its hash; all None for a clip that cannot be measured."""
    return measure_clips(clips, jobs).columns


def measure_clips(clips: Clips, jobs: int | None = None, notify: Notify | None = None) -> MeasuredClips:
    """Measure the clips that are not in the cache, as many at once as jobs says, and keep what was measured.

    `notify` is told how far it is.
    """
    cache = MeasureCache(_librosa_version())
    columns = {clip_hash: cache.read(clip_hash) for clip_hash in clips}
    missing = [clip_hash for clip_hash, values in columns.items() if values is None]
    failed: dict[str, str] = {}
    unkept: DtbenchError | None = None
    for done, (clip_hash, found) in enumerate(_measured({one: clips[one] for one in missing}, jobs), 1):
        if isinstance(found, str):
            failed[clip_hash] = found
            continue
        columns[clip_hash] = found
        try:
            if unkept is None:
                cache.write(clip_hash, found)
        except DtbenchError as error:
            unkept = error
        if notify is not None and done % _EACH == 0:
            notify(f"{done} of {len(missing)} clips are measured")
    notes = []
    if unkept is not None:
        notes.append(f"measures are not cached: {unkept} Set $DTBENCH_ACOUSTICS to another folder.")
    whole = {one: no_values() if values is None else values for one, values in columns.items()}
    return MeasuredClips(whole, failed, notes)


def _librosa_version() -> str:
    try:
        return metadata.version("librosa")
    except metadata.PackageNotFoundError:
        raise UserError(f"acoustic measures need librosa, which is not here: {install_command('acoustics')}.") from None


def _measured(clips: Clips, jobs: int | None) -> Iterator[tuple[str, Values | str]]:
    """Yield the measures of each clip, or why there are none, as they get ready."""
    waiting = list(clips.items())
    if not waiting:
        return
    first, *rest = waiting  # alone: librosa loads its parts when they are used, which threads must not do at once
    yield first[0], _measure(*first)
    pool = ThreadPoolExecutor(jobs or os.cpu_count() or 1)
    try:
        begun: dict[Future[Values | str], str] = {pool.submit(_measure, *one): one[0] for one in rest}
        for future in as_completed(begun):
            yield begun[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _together(each: Sequence[Values]) -> Values:
    """Return the measures of several clips: the length of all, else the mean of those that have one."""
    found: Values = {}
    for name in COLUMNS:
        values = [one[name] for one in each]
        known = [value for value in values if value is not None]
        found[name] = (sum(known) if name == LENGTH else sum(known) / len(known)) if known else None
    return found


def _measure(clip_hash: str, clip: Path | Clip | None) -> Values | str:
    from dtbench.harness.acoustics.measure import measure_clip

    if clip is None:
        return MISSING
    try:
        if hash_clip(clip) != clip_hash:
            return OTHER
        if isinstance(clip, ClipSet):
            return _together([measure_clip(decode_beginning(one, MEASURED_SECONDS)) for one in clip.clips])
        return measure_clip(decode_beginning(clip, MEASURED_SECONDS))
    except MissingClip:
        return MISSING
    except DataError:
        return FAULTY
