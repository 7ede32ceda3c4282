"""Whatever bytes there are, a clip is heard or is one DataError with its name."""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path

import numpy
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from sounds import Bytes, encoded, encoded_by_ffmpeg, sine

from dtbench.harness.audio import prepare as audio
from dtbench.harness.audio.prepare import CUT, WINDOWS, MissingClip, inspect_clip, prepare_audio
from dtbench.harness.core.errors import DataError

NAMED = r"some/clip\.wav: the clip [^\n]*\.\Z"


def formats() -> list[bytes]:
    """A short clip in every format and subtype that can be written here."""
    noise = numpy.random.default_rng(0).uniform(-0.5, 0.5, (600, 2))
    found = []
    for kind in sorted(
        soundfile.available_formats().keys() - {"SD2"}
    ):  # writes a second file, into the working directory
        for subtype in soundfile.available_subtypes(kind):
            try:
                found.append(encoded(noise, 16000, kind, subtype).data)
            except (soundfile.LibsndfileError, ValueError, TypeError):  # not every pair that it names can be written
                continue
    assert len(found) > 50
    return found


FORMATS = formats()


def heard_or_refused(data: bytes) -> None:
    """One of the two, and hearing and checking agree on which."""
    outcomes = []
    for attempt in (
        lambda: prepare_audio(Bytes(data), 8000, 0.02, WINDOWS),
        lambda: prepare_audio(Bytes(data), 16000, None),
        lambda: inspect_clip(data, "some/clip.wav"),
    ):
        try:
            attempt()
            outcomes.append("heard")
        except DataError as error:
            outcomes.append(str(error))
    assert outcomes == ["heard"] * 3 or all(re.match(NAMED, outcome) for outcome in outcomes), outcomes


@pytest.mark.parametrize("seed", range(20))
def test_damaged_clips_of_every_format_are_heard_or_refused(seed: int) -> None:
    chance = random.Random(seed)
    for data in chance.sample(FORMATS, 25):
        damaged = bytearray(data)
        for _ in range(chance.choice((1, 2, 8))):
            place = chance.randrange(min(len(damaged), chance.choice((16, 64, 1 << 20))))
            damaged[place : place + chance.choice((0, 1, 4))] = chance.randbytes(chance.choice((0, 1, 4)))
        heard_or_refused(bytes(damaged[: chance.choice((None, len(damaged) // 2))]))


@given(
    st.binary(max_size=300), st.sampled_from([b"", b"RIFF", b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"FORM", b"caff"])
)
@settings(max_examples=200)
def test_any_bytes_are_heard_or_refused(data: bytes, head: bytes) -> None:
    heard_or_refused(head + data)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("container", ["ipod", "matroska", "adts"])
def test_damaged_aac_is_heard_or_refused(container: str, seed: int) -> None:
    pytest.importorskip("av", reason="PyAV, of the extra aac, is not installed")
    whole = encoded_by_ffmpeg(sine(440, 0.3, 16000), 16000, container, "aac").data
    chance = random.Random(seed)
    for _ in range(10):
        damaged = bytearray(whole)
        place = chance.randrange(len(damaged))
        damaged[place : place + 4] = chance.randbytes(4)
        heard_or_refused(bytes(damaged[: chance.choice((None, chance.randrange(len(damaged))))]))


@pytest.mark.parametrize("keep", [0.9, 0.5, 0.1])
@pytest.mark.parametrize("kind", ["WAV", "FLAC", "MP3", "OGG"])
def test_a_clip_cut_short_is_refused_even_where_its_beginning_is_all_that_is_heard(kind: str, keep: float) -> None:
    data = encoded(sine(440, 10, 16000), 16000, kind).data
    with pytest.raises(DataError, match=r"^some/clip\.wav: the clip (is cut short|does not decode)"):
        prepare_audio(Bytes(data[: int(len(data) * keep)]), 16000, 0.5, CUT)


def test_an_m4a_cut_short_is_refused() -> None:
    pytest.importorskip("av", reason="PyAV, of the extra aac, is not installed")
    data = encoded_by_ffmpeg(sine(440, 5, 16000), 16000, "ipod", "aac").data
    with pytest.raises(DataError, match=NAMED):
        prepare_audio(Bytes(data[: len(data) // 2]), 16000, None)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"<html></html>", b"\0" * 1000, b"#EXTM3U\n/etc/hostname", b"ID3"])
def test_what_is_no_sound_is_refused_by_name(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=NAMED):
        prepare_audio(Bytes(data), 16000, None)
    (tmp_path / "x.wav").write_bytes(data)
    with pytest.raises(DataError, match=r"x\.wav: the clip "):
        prepare_audio(tmp_path / "x.wav", 16000, None)


def test_a_clip_without_frames_is_refused() -> None:
    with pytest.raises(DataError, match=r"no sound \(0 frames\)"):
        prepare_audio(encoded(numpy.zeros(0), 16000), 16000, None)


def test_a_clip_of_which_no_sample_is_left_is_refused() -> None:
    with pytest.raises(DataError, match="no sound at 16000 Hz"):
        prepare_audio(encoded(numpy.zeros(1), 192000), 16000, None)


@pytest.mark.parametrize("value", [numpy.nan, numpy.inf, -numpy.inf])
@pytest.mark.parametrize("place", [0, 500, 15999])
def test_samples_that_are_no_numbers_are_refused_wherever_they_are(value: float, place: int) -> None:
    wave = numpy.zeros((16000, 2))
    wave[place, 1] = value
    with pytest.raises(DataError, match="no numbers"):
        prepare_audio(encoded(wave, 16000, subtype="DOUBLE"), 8000, 0.5, CUT)


@pytest.mark.parametrize("rate", [1, 999, 768001, 2**31 - 1])
def test_a_rate_that_no_sound_has_is_refused_before_it_fills_the_memory(rate: int) -> None:
    with pytest.raises(DataError, match=rf"rate of {rate} Hz, 1000 to 768000 Hz is allowed"):
        prepare_audio(encoded(numpy.zeros(100_000), rate), 16000, None)


def test_a_clip_beyond_what_is_held_in_memory_is_refused_whole_and_heard_in_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audio, "MAX_FRAMES", 16000)
    clip = encoded(sine(440, 2, 16000), 16000)
    for limit in (None, 1.5):
        with pytest.raises(DataError, match=r"2\.00 s long, too long for memory"):
            prepare_audio(clip, 16000, limit)
    assert len(prepare_audio(clip, 16000, 0.5).samples) == 8000


def test_a_clip_that_is_not_there_is_told_from_one_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(MissingClip, match=r"gone\.wav: the clip is missing"):
        prepare_audio(tmp_path / "gone.wav", 16000, None)
    with pytest.raises(DataError, match="cannot be read"):
        prepare_audio(tmp_path, 16000, None)


def test_aac_without_pyav_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(DataError, match=r"only FFmpeg decodes this clip \(mp4\): pip install '.*\[aac\]'"):
        prepare_audio(Bytes(b"\0\0\0\x1cftypM4A " + bytes(100)), 16000, None)
