"""How many questions a second one process asks, by the kind of its clips; printed, with what follows for 16 cores.

A whole `dtbench run` about clips of 10 s, each decoded, resampled, sent to an endpoint in another process that answers
at once, and stored. CPU time is that of the run less that of a short one, so without its start.

The ceiling for 16 cores is computed, not measured: clips are decoded in as many threads as there are cores, up to
MOST_READERS, and everything else is done by one thread, so the slower of the two sets the pace.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

import numpy
import pytest
import soundfile
from chat_server import chatting_elsewhere
from command import COMMAND
from measured import Cost, measured
from runs import mmar_data

from dtbench.harness.audio.prepare import prepare_audio
from dtbench.harness.run.dispatch import MOST_READERS

SECONDS = 10
ROUNDS = 2
CORES = 16
DECODED = 20
"""Clips of which the CPU time of decoding is taken."""


class Kind(NamedTuple):
    """A kind of clip, and how many questions about it are asked."""

    name: str
    format: str
    rate: int
    channels: int
    questions: int


KINDS = (
    Kind("wav 16 kHz", "WAV", 16000, 1, 2000),
    Kind("flac 44.1 kHz stereo", "FLAC", 44100, 2, 500),
    Kind("mp3 44.1 kHz stereo", "MP3", 44100, 2, 500),
)
IN_FLIGHT = (None, 256)
"""None for what a run takes where nobody says: 16 for a URL."""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_questions_a_second(kind: Kind, tmp_path: Path) -> None:
    clip = _write_data(kind, tmp_path / "data")
    decoding = _decoding_ms(clip)
    for in_flight in IN_FLIGHT:
        many, few = (_least(tmp_path, in_flight, count) for count in (kind.questions, kind.questions // 10))
        count = kind.questions - kind.questions // 10
        cpu, rate = 1000 * (many.cpu - few.cpu) / count, count / max(1e-9, many.wall - few.wall)
        rest = max(0.01, cpu - decoding)
        ceiling = min(1000 / rest, 1000 * min(MOST_READERS, CORES) / decoding)
        here = f"{rate:.0f} questions a second here, {cpu:.2f} ms of CPU each ({decoding:.2f} of it decoding)"
        print(f"\n{kind.name}, {in_flight or 'the default'} in flight: {here}, {many.megabytes:.0f} MB")
        print(f"computed for {CORES} cores: {ceiling:.0f} questions a second")


def _write_data(kind: Kind, data: Path) -> Path:
    """Write questions about one clip under as many names, so that none is shared."""
    items = mmar_data(data, kind.questions)
    noise = 0.1 * numpy.random.default_rng(0).standard_normal((kind.rate * SECONDS, kind.channels))
    clip = data / "audio" / "one"
    clip.parent.mkdir()
    with clip.open("wb") as file:
        soundfile.write(file, noise, kind.rate, format=kind.format)
    for item in items:
        (data / item["audio_path"]).hardlink_to(clip)
    return clip


def _decoding_ms(clip: Path) -> float:
    prepare_audio(clip, 16000, None)
    before = time.process_time()
    for _ in range(DECODED):
        prepare_audio(clip, 16000, None)
    return 1000 * (time.process_time() - before) / DECODED


def _least(folder: Path, in_flight: int | None, count: int) -> Cost:
    concurrency = () if in_flight is None else ("--concurrency", str(in_flight))
    costs = []
    for _ in range(ROUNDS):
        out = folder / f"out{len(list(folder.glob('out*')))}"
        where = ("--tasks", "mmar", "--data-dir", str(folder / "data"), "--out", str(out), "--limit", str(count))
        with chatting_elsewhere() as url:
            command = [*COMMAND, "run", "--model", url, *where, *concurrency]
            costs.append(measured(command, folder, dict(os.environ), folder / "said.txt"))
    return costs[0].least(costs[1])
