"""Clips are told by content, and one that is not whole is never taken for whole."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy
import pytest
import soundfile
from small_data import tone

from dtbench.harness.audio.prepare import MissingClip, hash_clip, inspect_clip, prepare_audio, read_clip
from dtbench.harness.core.errors import DataError


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (44100, 2)])
def test_a_whole_clip_says_what_it_is(kind: str, rate: int, channels: int) -> None:
    facts = inspect_clip(tone(0.5, rate, channels, kind), "x.wav")
    assert (facts.rate, facts.channels, facts.format) == (rate, channels, kind)
    assert facts.seconds == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG"])
@pytest.mark.parametrize("keep", [0.95, 0.5, 0.1])
def test_a_clip_cut_short_is_found(kind: str, keep: float) -> None:
    data = tone(1.0, kind=kind)
    with pytest.raises(DataError, match=r"x\.wav: the clip (is cut short|does not decode)"):
        inspect_clip(data[: int(len(data) * keep)], "x.wav")


def test_a_stream_that_could_not_know_its_size_is_whole() -> None:
    data = bytearray(tone())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    assert inspect_clip(bytes(data), "x.wav").seconds == pytest.approx(0.2)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"<html></html>", b"\0" * 1000, b"version https://git-lfs"])
def test_what_is_no_sound_is_one_line_with_its_name(data: bytes) -> None:
    with pytest.raises(DataError, match=r"^some/clip\.wav: the clip ") as caught:
        inspect_clip(data, "some/clip.wav")
    assert "\n" not in str(caught.value)


def test_a_clip_without_frames_is_no_clip() -> None:
    with pytest.raises(DataError, match="no sound"):
        inspect_clip(tone(0.0), "x.wav")


def test_samples_that_are_no_numbers_are_found(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", numpy.array([0.1, numpy.nan, 0.2]), 16000, subtype="FLOAT")
    with pytest.raises(DataError, match="NaN"):
        inspect_clip((tmp_path / "x.wav").read_bytes(), "x.wav")


def test_a_clip_that_is_not_there_is_told_from_one_that_is_broken(tmp_path: Path) -> None:
    with pytest.raises(MissingClip, match=r"gone\.wav: the clip is missing"):
        read_clip(tmp_path / "gone.wav")
    with pytest.raises(DataError, match="cannot be read"):
        read_clip(tmp_path)


def test_a_clip_has_the_hash_of_its_bytes_wherever_it_lies_and_another_when_they_change(tmp_path: Path) -> None:
    path, data = tmp_path / "clip.wav", tone()
    path.write_bytes(data)
    published = hashlib.sha256(data).hexdigest()[:12]
    assert hash_clip(path) == hash_clip(InMemory(data)) == published
    assert prepare_audio(path, 16000, None).hash == prepare_audio(InMemory(data), 8000, 0.1).hash == published
    path.write_bytes(data[:-2] + b"\x01\x01")
    assert hash_clip(path) == hashlib.sha256(path.read_bytes()).hexdigest()[:12] != published


class InMemory:
    """A clip that is no file."""

    label = "a clip"

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self) -> bytes:
        return self._data
