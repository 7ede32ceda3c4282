"""Switchboard: telephone conversations. https://catalog.ldc.upenn.edu/LDC97S62

Two parts are read, as those who train on it have them: the recordings of the LDC (`sw02001.sph`, or converted: a file
of two channels for each conversation, wherever it lies) and the corrected transcripts of Mississippi State
(`swb_ms98_transcriptions/20/2001/sw2001A-ms98-a-trans.text`, and `B` for the other speaker), made up:

    sw2001A-ms98-a-0002 0.977625 11.561375 hi um yeah i would like to talk [silence] about th[at]- that

Dialogue acts have no times, so they say nothing of a clip. A conversation lasts minutes, and a model hears half a one:
of each, an excerpt of up to 30 s in which both speak is drawn by its number and written into the folder `excerpts` in
it. Its rows are drafts with what is said as notes, for `dtbench cot`.
"""

from __future__ import annotations

import io
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import DataError
from dtbench.harness.store.atomic import replace_unsynced
from dtbench.training.data.converters.conversion import ENDINGS, Skipped, find_files
from dtbench.training.data.rows import TrainingRow

EXCERPTS = "excerpts"
SECONDS = 30.0
_TURN = re.compile(r"(?P<name>sw\d+[AB]-ms98-a-\d+)\s+(?P<start>[\d.]+)\s+(?P<end>[\d.]+)\s+(?P<said>.*)")
_RECORDING = re.compile(r"sw0?(\d{4})")
_MEANT = re.compile(r"\[(?:laughter-)?([^\[\]/]+)(?:/[^\[\]]*)?\]")
"""A word said with a laugh, or another than was meant."""
_DROPPED = {"[silence]", "[noise]", "[vocalized-noise]"}


class Turn(NamedTuple):
    """What a speaker says at a stretch."""

    start: float
    end: float
    speaker: str
    said: str


def switchboard_rows(folder: Path) -> Iterator[TrainingRow | Skipped]:
    """Yield a draft for an excerpt of each conversation."""
    sides = find_files(folder, ("**/sw*A-ms98-a-trans.text",), "Switchboard with transcripts of Mississippi State")
    recordings = _recordings(folder)
    for side in sides:
        number = side.name.removeprefix("sw").partition("A")[0]
        other = side.with_name(side.name.replace("A-ms98", "B-ms98"))
        if not other.is_file():
            yield Skipped("the transcript of its other speaker is not there")
        elif number not in recordings:
            yield Skipped("its recording is not there")
        else:
            turns = sorted([*_turns(side, "A"), *_turns(other, "B")])
            yield _row(number, turns, recordings[number], folder / EXCERPTS)


def _recordings(folder: Path) -> Mapping[str, Path]:
    """Return the recording of each conversation, by its number of four digits."""
    paths = (path for path in sorted(folder.rglob("sw*")) if path.suffix.lower() in ENDINGS | {".sph"})
    found = ((_RECORDING.fullmatch(path.stem), path) for path in paths)
    return {match[1]: path for match, path in found if match is not None}


def _turns(file: Path, speaker: str) -> Iterator[Turn]:
    for number, line in enumerate(file.read_text(encoding="latin-1").splitlines(), start=1):
        match = _TURN.fullmatch(line.strip())
        if match is None:
            raise DataError(f"{file}, line {number}: a name, start, end and words are expected, found {line[:60]!r}.")
        if said := _words(match["said"]):
            yield Turn(float(match["start"]), float(match["end"]), speaker, said)


def _words(said: str) -> str:
    """Return the words of a turn as one would write them; of broken words and noises, none."""
    kept = []
    for token in said.split():
        if token in _DROPPED or token.startswith(("<", "-[")) or token.endswith("-"):
            continue
        word = "(laughs)" if token == "[laughter]" else _MEANT.sub(r"\1", token)
        kept.append(re.sub(r"_\d+$", "", word).strip("{}"))
    return " ".join(kept)


def _row(number: str, turns: Sequence[Turn], recording: Path, excerpts: Path) -> TrainingRow | Skipped:
    choices = [excerpt for first in range(len(turns)) if (excerpt := _excerpt(turns, first))]
    if not choices:
        return Skipped("no half a minute of it has both speakers in whole turns")
    excerpt = random.Random(f"switchboard {number}").choice(choices)
    start, end = excerpt[0].start, max(turn.end for turn in excerpt)
    clip = excerpts / f"sw{number}-{round(1000 * start)}-{round(1000 * end)}.wav"
    if not clip.is_file() and (why := _cut(recording, start, end, clip)):
        return Skipped(why)
    said = " ".join(f"{turn.speaker}: {turn.said}" for turn in excerpt)
    return TrainingRow(
        id=f"switchboard-{clip.stem}",
        audio=clip,
        question="",
        choices=(),
        answer="",
        source="Switchboard",
        extra={"notes": f"Two people talk on the telephone. What they say: {said}", "groups": {"speakers": "two"}},
    )


def _excerpt(turns: Sequence[Turn], first: int) -> Sequence[Turn]:
    """Return the most turns from this one on that no other turn reaches into; none where only one speaks."""
    start = turns[first].start
    if any(turn.end > start for turn in turns[:first]):
        return ()
    last, end, whole = first, start, first
    while last < len(turns) and max(end, turns[last].end) <= start + SECONDS:
        end = max(end, turns[last].end)
        last += 1
        if last == len(turns) or turns[last].start >= end:
            whole = last
    excerpt = turns[first:whole]
    return excerpt if {turn.speaker for turn in excerpt} == {"A", "B"} else ()


def _cut(recording: Path, start: float, end: float, clip: Path) -> str | None:
    """Write a part of a recording, both speakers in one channel; return why it cannot be."""
    import soundfile

    try:
        with soundfile.SoundFile(str(recording)) as sound:
            sound.seek(min(round(start * sound.samplerate), sound.frames))
            wave = sound.read(round((end - start) * sound.samplerate), always_2d=True).mean(axis=1)
            rate = sound.samplerate
    except (soundfile.LibsndfileError, RuntimeError):
        return "its recording cannot be decoded (a compressed .sph: convert it to WAV with sph2pipe)"
    if len(wave) < round((end - start) * rate):
        return "its recording ends before its transcript"
    content = io.BytesIO()
    soundfile.write(content, wave, rate, format="WAV", subtype="PCM_16")
    replace_unsynced(clip, content.getvalue())
    return None
