"""Add clips to a report: small copies inside it up to a size, or links to the files, or none."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import Clip, clip_name
from dtbench.harness.report.encode_clips import ClipEncoder, ClipToCopy, ReportClip, lost_clip
from dtbench.harness.score.run_questions import AbsentClip

MODES = ("embed", "link", "none")
CLIPS_SIZE = "100MB"
"""How much of a report its clips take unless `--clips-size` says otherwise: over an hour and a half of MP3."""
RANKS = ("changed", "wrong", "right")
"""Why a question's clip is wanted, the most wanted first: runs differ, an answer is not right, all are right."""
_UNITS = {"KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
_AT_ONCE = 4
_BATCH = 16


class QuestionClip(NamedTuple):
    """A clip of a question, and how much it is wanted in a report."""

    id: str
    place: int
    audio: Path | Clip
    rank: int
    """A place in RANKS."""
    number: int = 1
    """Which of the question's clips it is."""
    stereo: bool = False
    """Whether its task asks for the channels."""

    @property
    def key(self) -> str:
        """Return by what the page finds it."""
        return self.id if self.number == 1 else f"{self.id}\n{self.number}"


class EmbeddedClips(NamedTuple):
    """The clips of a task that are inside a report, and of how many questions of each rank some are not.

    For want of room, that is.
    """

    clips: dict[str, ReportClip]
    """By QuestionClip.key."""
    left_out: Counter[str]


def parse_size(text: str) -> int:
    """Return the bytes of a size such as 100MB; a UserError where it is none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kMG]B)", text.strip(), re.IGNORECASE)
    size = 0 if found is None else int(float(found[1]) * _UNITS[found[2].upper()])
    if not size:
        raise UserError(f"--clips-size {text}: a size above 0 is expected, such as {CLIPS_SIZE} or 500kB.")
    return size


def wanted_clips(
    data: Sequence[Dataset | None], ranks: Mapping[str, int], *, stereo: bool = False
) -> list[QuestionClip]:
    """Return the clips of each of these questions that one of the data sets has."""
    clips: dict[str, QuestionClip] = {}
    for dataset in data:
        if dataset is None:
            continue
        places = dataset.places()
        for id_, rank in ranks.items():
            if id_ not in places or id_ in clips:
                continue
            sample = dataset.samples[places[id_]]
            for number, clip in enumerate(sample.clips or (sample.audio,), start=1):
                one = QuestionClip(id_, places[id_], clip, rank, number, stereo)
                clips[one.key] = one
    return list(clips.values())


def embed_clips(tasks: Sequence[Sequence[QuestionClip]], size: int) -> list[EmbeddedClips]:
    """Copy the clips of each task, the most wanted first over all tasks, until `size` bytes of the page are full.

    A clip that several questions are about is copied once.
    """
    found = [EmbeddedClips({}, Counter()) for _ in tasks]
    left, full, inside, lost = size, False, set[str](), set[tuple[int, str]]()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        encoder = ClipEncoder(pool, _BATCH)
        for chunk in _chunks(_by_clip(tasks)):
            audio = [ClipToCopy(asked[0][1].audio, asked[0][1].stereo) for asked in chunk]
            copies = [lost_clip(one.audio) for one in audio] if full else encoder.encode(audio)
            for asked, copy in zip(chunk, copies, strict=True):
                needed = 0 if copy is None or copy.inside in inside else len(copy.inside)
                full = full or needed > left
                if copy is not None and not full:
                    inside.add(copy.inside)
                    left -= needed
                for task, one in asked:
                    if copy is not None and (copy.missing or not full):
                        found[task].clips[one.key] = copy
                    elif (task, one.id) not in lost:
                        lost.add((task, one.id))
                        found[task].left_out[RANKS[one.rank]] += 1
    return found


Asked = list[tuple[int, QuestionClip]]
"""The questions of one clip, the most wanted first, each with the place of its task."""


def _by_clip(tasks: Sequence[Sequence[QuestionClip]]) -> list[Asked]:
    """Group the questions by clip: the most wanted first, else in the order of the data, as archives read fastest."""
    questions = [(place, one) for place, task in enumerate(tasks) for one in task]
    questions.sort(key=lambda asked: (asked[1].rank, asked[0], asked[1].place))
    clips: dict[tuple[int, str], Asked] = {}
    for place, one in questions:
        clips.setdefault((place, clip_name(one.audio)), []).append((place, one))
    return list(clips.values())


def _chunks(clips: Sequence[Asked]) -> Iterator[Sequence[Asked]]:
    for begin in range(0, len(clips), _AT_ONCE * _BATCH):
        yield clips[begin : begin + _AT_ONCE * _BATCH]


def link_clips(wanted: Iterable[QuestionClip], page: Path) -> dict[str, ReportClip]:
    """Links from the page to the files of clips."""
    return {one.key: _link_to(one.audio, page) for one in wanted}


def clip_notes(clips: Mapping[str, ReportClip], questions: int) -> list[str]:
    """Return what a user needs to know about clips that cannot be played."""
    lacking = [one.missing for one in clips.values() if one.missing]
    if not lacking:
        return []
    count = max(questions, len(clips))  # some questions have several
    return [f"{len(lacking)} of {count} clips cannot be played in the report; the first: {lacking[0]}"]


def room_notes(embedded: EmbeddedClips, questions: int, size: str) -> list[str]:
    """Say how many clips are left out for want of room, which they are, and what puts them in."""
    if not embedded.left_out:
        return []
    which = ", ".join(f"{embedded.left_out[name]} {name}" for name in RANKS if embedded.left_out[name])
    opus = any(one.type == "audio/webm" for one in embedded.clips.values())
    smaller = "" if opus else "; with ffmpeg on the PATH more would fit"
    return [
        f"the clips of {embedded.left_out.total()} of {questions} questions are left out ({which}), as clips may take "
        f"{size} of the page: a larger --clips-size takes in more, --clips link links to every clip that is a file"
        f"{smaller}"
    ]


def _link_to(audio: Path | Clip, page: Path) -> ReportClip:
    if isinstance(audio, AbsentClip):
        return ReportClip(missing=audio.why)
    path = audio if isinstance(audio, Path) else getattr(audio, "path", None)
    if not isinstance(path, Path):
        return ReportClip(missing="its clip is inside an archive or table and cannot be linked: use --clips embed")
    if not path.is_file():
        return ReportClip(missing=f"{path}: the clip is missing")
    relative = os.path.relpath(path.resolve(), page.resolve().parent)
    return ReportClip(link=quote(relative.replace(os.sep, "/")))
