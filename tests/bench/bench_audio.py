"""Clips through the audio path, beside librosa in an environment of its own; speeds are printed, not asserted."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest
import soundfile
from bench_page import note

from dtbench.harness.audio.prepare import PreparedAudio, prepare_audio

CLIPS = 1000
FILES = 20
RATE = 44100
SECONDS = 20
PEER_PYTHON = "DTBENCH_BENCH_LIBROSA"
"""The variable that names a Python with librosa; without it one is set up."""
PEER = """
import sys, time, librosa
paths = sys.argv[2:]
librosa.load(paths[0], sr=16000, mono=True)
started = time.perf_counter()
for number in range(int(sys.argv[1])):
    librosa.load(paths[number % len(paths)], sr=16000, mono=True)
print(time.perf_counter() - started)
"""


def test_a_thousand_stereo_clips_beside_librosa(tmp_path: Path) -> None:
    clips = [_clip(tmp_path, number) for number in range(FILES)]
    measured = {
        "dtbench, 1 thread": _seconds(clips, threads=1),
        "dtbench, 2 threads": _seconds(clips, threads=2),
        "librosa.load, 1 thread": _peer_seconds(clips, tmp_path),
    }
    print(f"\n{CLIPS} clips of {SECONDS} s, {RATE} Hz stereo, to 16000 Hz mono{'seconds':>10}{'ms a clip':>11}")
    for who, seconds in measured.items():
        note(f"Clips of {SECONDS} s from {RATE} Hz stereo to 16 kHz mono: seconds", who, seconds)
        print(f"{who:<52}{seconds:>10.2f}{seconds / CLIPS * 1000:>11.2f}")


def _clip(folder: Path, number: int) -> Path:
    noise = 0.1 * numpy.random.default_rng(number).standard_normal((RATE * SECONDS, 2))
    path = folder / f"{number}.wav"
    soundfile.write(path, noise, RATE, subtype="PCM_16")
    return path


def _seconds(clips: list[Path], threads: int) -> float:
    def one(number: int) -> PreparedAudio:
        return prepare_audio(clips[number % FILES], 16000, 30.0)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, range(threads)))
        started = time.perf_counter()
        for _ in pool.map(one, range(CLIPS)):
            pass
        return time.perf_counter() - started


def _peer_seconds(clips: list[Path], folder: Path) -> float:
    python = os.environ.get(PEER_PYTHON) or _peer_environment(folder / "peer")
    done = subprocess.run(
        [python, "-c", PEER, str(CLIPS), *map(str, clips)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def _peer_environment(folder: Path) -> str:
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    install = [str(python), *"-m pip install --quiet librosa soxr".split()]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"librosa cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    return str(python)
