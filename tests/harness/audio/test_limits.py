"""A clip over the limit is shortened by the rule that was asked for, and stand-ins are as long as what they replace."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy
import pytest
from sounds import Bytes, encoded, sine

from dtbench.harness.audio.prepare import (
    CUT,
    LONG_CLIP_RULES,
    REFUSE,
    WHOLE,
    WINDOW_COUNT,
    WINDOWS,
    noise_for,
    prepare_audio,
    silence_of,
)
from dtbench.harness.core.errors import DataError, UserError

RATE = 16000


def ramp(seconds: float) -> Bytes:
    """Each frame tells its place in the clip."""
    return encoded(numpy.linspace(-1, 1, int(seconds * RATE), endpoint=False), RATE, subtype="FLOAT")


@pytest.mark.parametrize("rule", LONG_CLIP_RULES)
@pytest.mark.parametrize("limit", [None, 2.0, 2.5])
def test_a_clip_within_the_limit_is_heard_whole_whatever_the_rule(rule: str, limit: float | None) -> None:
    heard = prepare_audio(ramp(2), RATE, limit, rule)
    assert (heard.rule, len(heard.samples)) == (WHOLE, 2 * RATE)


def test_cut_hears_the_beginning_and_tells_the_length_as_published() -> None:
    clip = ramp(10)
    heard = prepare_audio(clip, RATE, 3.5, CUT)
    assert (heard.rule, heard.seconds) == (CUT, 10.0)
    assert numpy.array_equal(heard.samples, prepare_audio(clip, RATE, None).samples[: int(3.5 * RATE)])


def test_cut_is_what_happens_unless_something_else_is_asked_for() -> None:
    assert prepare_audio(ramp(3), RATE, 1.0).rule == CUT


def test_windows_are_even_hold_the_limit_in_all_and_reach_from_the_beginning_to_the_end() -> None:
    heard = prepare_audio(ramp(10), RATE, 3.0, WINDOWS)
    assert (heard.rule, len(heard.samples)) == (WINDOWS, 3 * RATE)
    places = (heard.samples.astype(float) + 1) * 5  # in seconds
    assert places[0] == pytest.approx(0, abs=0.001)
    assert places[-1] == pytest.approx(10, abs=0.001)
    joints = numpy.flatnonzero(numpy.diff(places) > 0.01)
    assert len(joints) == WINDOW_COUNT - 1
    gaps = numpy.diff(places)[joints]
    assert gaps == pytest.approx(7 / (WINDOW_COUNT - 1), abs=0.001)
    lengths = [end - start for start, end in pairwise([-1, *joints, len(places) - 1])]
    assert max(lengths) - min(lengths) <= WINDOW_COUNT


@pytest.mark.parametrize("over", [1, 2, 3, 4, 5, 100])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8000])
def test_windows_hold_the_limit_to_the_frame(over: int, limit: int) -> None:
    values = numpy.arange(limit + over).astype(numpy.int16)
    heard = (prepare_audio(encoded(values, RATE), RATE, limit / RATE, WINDOWS).samples * 32768).astype(int)
    assert len(heard) == limit
    assert all(first < second for first, second in pairwise(heard)), "a frame is heard twice"
    if limit >= WINDOW_COUNT:
        assert (heard[0], heard[-1]) == (0, limit + over - 1)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_windows_lie_where_they_should_in_every_format(kind: str) -> None:
    sound = numpy.concatenate([sine(hertz, 4, 44100) for hertz in (400, 800, 1600)])
    heard = prepare_audio(encoded(sound, 44100, kind), RATE, 6, WINDOWS).samples
    for part, hertz in zip(heard.reshape(3, -1), (400, 800, 1600), strict=True):
        spectrum = numpy.abs(numpy.fft.rfft(part))
        assert spectrum.argmax() * RATE / len(part) == pytest.approx(hertz, abs=5)


def test_refuse_is_one_line_with_the_name_both_lengths_and_the_rule() -> None:
    with pytest.raises(DataError, match=r"^some/clip\.wav: .* 10\.00 s .* limit of 3 s, .* 'refuse'\.$"):
        prepare_audio(ramp(10), RATE, 3.0, REFUSE)


def test_an_unknown_rule_is_told_with_those_that_exist() -> None:
    with pytest.raises(UserError, match=r"unknown rule 'cutt' .* Did you mean cut\? Known: cut, windows, refuse"):
        prepare_audio(ramp(1), RATE, None, "cutt")


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
def test_a_limit_that_leaves_nothing_is_refused(limit: float) -> None:
    with pytest.raises(UserError, match="above 0"):
        prepare_audio(ramp(1), RATE, limit)


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000])
@pytest.mark.parametrize("rule", [CUT, WINDOWS])
@pytest.mark.parametrize("limit", [0.5, 0.7301, 1.0])
def test_no_more_than_the_limit_is_heard_to_the_sample(rate: int, rule: str, limit: float) -> None:
    heard = prepare_audio(encoded(sine(440, 2, rate), rate), RATE, limit, rule)
    assert limit * RATE - 2 <= len(heard.samples) <= limit * RATE


def test_the_same_clip_is_heard_the_same_in_any_number_of_threads() -> None:
    clips = [encoded(sine(300 + 10 * k, 1, 44100), 44100, kind) for k in range(5) for kind in ("WAV", "MP3", "FLAC")]
    alone = [prepare_audio(clip, RATE, 0.8, WINDOWS) for clip in clips]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda clip: prepare_audio(clip, RATE, 0.8, WINDOWS), clips * 4))
    assert together == alone * 4


@pytest.mark.parametrize("limit", [None, 1.0])
def test_silence_and_noise_differ_from_what_was_heard_in_nothing_but_the_sound(limit: float | None) -> None:
    heard = prepare_audio(encoded(sine(440, 1.7, 44100), 44100), RATE, limit)
    for stand_in in (silence_of(heard), noise_for(heard, 1)):
        assert len(stand_in.wav) == len(heard.wav)
        assert stand_in.wav[:44] == heard.wav[:44]
        assert (stand_in.seconds, stand_in.rate, stand_in.channels, stand_in.rule) == (1.7, 44100, 1, heard.rule)


def test_silence_is_silent() -> None:
    assert not silence_of(prepare_audio(ramp(1), RATE, None)).samples.any()


def test_noise_is_white_and_about_as_loud_as_speech() -> None:
    samples = noise_for(prepare_audio(ramp(4), RATE, None), 7).samples
    assert 20 * numpy.log10(numpy.sqrt(numpy.mean(samples**2))) == pytest.approx(-23, abs=1)
    assert abs(samples.mean()) < 0.001
    power = numpy.abs(numpy.fft.rfft(samples)) ** 2
    bands = [band.mean() for band in numpy.array_split(power, 8)]
    assert max(bands) / min(bands) < 1.3


def test_noise_is_the_same_for_the_same_seed_only() -> None:
    heard = prepare_audio(ramp(1), RATE, None)
    assert noise_for(heard, 1) == noise_for(heard, 1)
    assert noise_for(heard, 1) != noise_for(heard, 2)
    assert noise_for(heard, 1).wav[44:52].hex() == "3ef64c04090b36f2"
