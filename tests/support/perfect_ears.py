"""A listener who knows nothing of a clip but its samples: what sounds there are, measured, and what is said of them."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from dtbench.tasks.mini_world.events import SoundFacts

Sound = np.ndarray[Any, np.dtype[np.float64]]
RATE = 16_000
FRAME = 80
JOINED = RATE // 10
"""Gaps shorter than this are within a train of beeps."""


class Run(NamedTuple):
    """A stretch without a gap, in samples."""

    start: int
    end: int


def samples(wav: bytes) -> Sound:
    """The samples of a clip, full scale 1."""
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_768


def heard(wav: bytes) -> list[SoundFacts]:
    """What is heard, sound by sound."""
    clip = samples(wav)
    return [_said(clip, runs) for runs in _trains(list(_runs(clip)))]


def _runs(clip: Sound) -> Iterator[Run]:
    power = (clip[: len(clip) // FRAME * FRAME].reshape(-1, FRAME) ** 2).mean(1)
    # The background is even: nothing of it stands 5 dB out of the quietest frames' mean.
    background = np.sort(power)[: len(power) // 10].mean()
    loud = power > background * 10**0.55
    edges = np.flatnonzero(np.diff(np.concatenate([[False], loud, [False]]).astype(int)))
    for start, end in edges.reshape(-1, 2):
        yield Run(int(start) * FRAME, int(end) * FRAME)


def _trains(runs: list[Run]) -> list[list[Run]]:
    trains: list[list[Run]] = []
    for run in runs:
        if trains and run.start - trains[-1][-1].end < JOINED:
            trains[-1].append(run)
        else:
            trains.append([run])
    return trains


def _said(clip: Sound, runs: list[Run]) -> SoundFacts:
    inner = clip[runs[0].start + 2 * FRAME : runs[0].end - 2 * FRAME]
    level = "loud" if 10 * np.log10((inner**2).mean()) > -25 else "soft"
    if len(runs) > 1:
        return SoundFacts("beeps", level, pitch=_pitch(_hertz(inner)), beeps=len(runs))
    length = "long" if runs[0].end - runs[0].start > RATE / 2 else "short"
    if _is_noise(inner):
        return SoundFacts("noise", level, length)
    first, last = _hertz(inner[: len(inner) // 3]), _hertz(inner[-len(inner) // 3 :])
    if abs(np.log2(last / first)) > 0.03:
        return SoundFacts("chirp", level, length, way="up" if last > first else "down")
    return SoundFacts("tone", level, length, _pitch(_hertz(inner)))


def _is_noise(sound: Sound) -> bool:
    """Whether its power lies everywhere; that of a tone or a chirp lies within an octave or three."""
    power = np.abs(np.fft.rfft(sound)) ** 2
    return bool(power[len(power) // 2 :].sum() > 0.2 * power.sum())


def _hertz(sound: Sound) -> float:
    """The peak of the spectrum, between the lines of it."""
    count = 1 << 16
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), count))
    return float(power.argmax() * RATE / count)


def _pitch(hertz: float) -> str:
    return "low" if hertz < 400 else "mid" if hertz < 1131.4 else "high"
