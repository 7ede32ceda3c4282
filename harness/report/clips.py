"""Add clips to a report: small copies of some inside it, or links to the files, or none."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from dtbench.harness.audio.prepare import prepare_audio, wav_samples
from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DtbenchError, format_error
from dtbench.harness.core.schema import Clip

MODES = ("embed", "link", "none")
MOST = 200
"""How many clips are put inside a report: 16 MB of 20 s each."""
RATE = 16_000
SECONDS = 60.0
"""What of a clip is put inside a report."""
_AT_ONCE = 4


class ReportClip(NamedTuple):
    """The clip of a question in a report: one of the three fields is set."""

    inside: str = ""
    """MP3 in base64."""
    link: str = ""
    missing: str = ""
    """Why there is no clip."""


class _QuestionClip(NamedTuple):
    id: str
    place: int
    audio: Path | Clip


def embed_clips(data: Sequence[Dataset | None], ids: Iterable[str]) -> dict[str, ReportClip]:
    """Copies of the clips of the first MOST of these questions whose clips are there."""
    clips = _clips_of(data, ids)
    lost = {
        one.id: ReportClip(missing=f"{one.audio}: the clip is missing.")
        for one in clips
        if isinstance(one.audio, Path) and not one.audio.is_file()
    }
    readable = [one for one in clips if one.id not in lost][:MOST]
    readable.sort(key=lambda one: one.place)  # a clip in a parquet file is cheapest read in order
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip((one.id for one in readable), pool.map(_embedded, readable), strict=True)) | lost


def link_clips(data: Sequence[Dataset | None], ids: Iterable[str], page: Path) -> dict[str, ReportClip]:
    """Links from the page to the files of clips."""
    return {one.id: _link_to(one.audio, page) for one in _clips_of(data, ids)}


def clip_notes(clips: Mapping[str, ReportClip], questions: int, mode: str) -> list[str]:
    """Return the notes that a user needs about the clips in a report."""
    if mode == "none" or not clips:
        return []
    lacking = [one.missing for one in clips.values() if one.missing]
    lines = []
    if lacking:
        lines.append(f"{len(lacking)} of {questions} clips cannot be played in the report; the first: {lacking[0]}")
    if mode == "embed" and questions > len(clips):
        lines.append(
            f"the report embeds the clips of {len(clips) - len(lacking)} of {questions} questions, changed and wrong "
            f"answers first; --clips link links to every clip that is a file"
        )
    return lines


def _clips_of(data: Sequence[Dataset | None], ids: Iterable[str]) -> list[_QuestionClip]:
    clips: dict[str, _QuestionClip] = {}
    ordered = list(dict.fromkeys(ids))
    for dataset in data:
        if dataset is None:
            continue
        places = dataset.places()
        for id_ in ordered:
            if id_ in places and id_ not in clips:
                clips[id_] = _QuestionClip(id_, places[id_], dataset.samples[places[id_]].audio)
    return [clips[id_] for id_ in ordered if id_ in clips]


def _embedded(clip: _QuestionClip) -> ReportClip:
    try:
        wav = prepare_audio(clip.audio, RATE, SECONDS).wav
        return ReportClip(inside=base64.b64encode(_mp3(wav)).decode())
    except DtbenchError as error:
        return ReportClip(missing=str(error))
    except Exception as error:  # someone else's clip
        return ReportClip(missing=f"reading the clip failed with {format_error(error)}")


def _mp3(wav: bytes) -> bytes:
    """About 3 kB a second: every browser plays it, and speech and events are what they were."""
    import soundfile

    out = io.BytesIO()
    kind = {"format": "MP3", "subtype": "MPEG_LAYER_III"}
    soundfile.write(out, wav_samples(wav), RATE, **kind, bitrate_mode="VARIABLE", compression_level=0.5)
    return out.getvalue()


def _link_to(audio: Path | Clip, page: Path) -> ReportClip:
    path = audio if isinstance(audio, Path) else getattr(audio, "path", None)
    if not isinstance(path, Path):
        return ReportClip(missing="its clip is inside an archive or table and cannot be linked: use --clips embed")
    if not path.is_file():
        return ReportClip(missing=f"{path}: the clip is missing")
    relative = os.path.relpath(path.resolve(), page.resolve().parent)
    return ReportClip(link=quote(relative.replace(os.sep, "/")))
