"""Clips whose channels a task asks for."""

from __future__ import annotations

import base64
import io
import re
import textwrap
from pathlib import Path

import numpy
import pytest
import soundfile
from chat_server import Turn, chatting
from command import call
from runs import records
from sounds import Bytes, Wave, encoded, pitch, sine

from dtbench.harness.audio.alter import replace_sound, through_codec
from dtbench.harness.audio.modes import parse_audio_mode
from dtbench.harness.audio.prepare import prepare_audio, silence_of, wav_mono, wav_samples
from dtbench.harness.store.run_folder import StoredRun

RATE = 16000
LEFT, RIGHT = 500, 900


def stereo(rate: int = RATE, seconds: float = 1.0) -> Wave:
    return numpy.stack([sine(LEFT, seconds, rate), sine(RIGHT, seconds, rate, 0.25)], axis=1)


def pitches(wav: bytes) -> list[int]:
    wave, rate = soundfile.read(io.BytesIO(wav), always_2d=True)
    return [round(pitch(channel, rate) / 10) * 10 for channel in wave.T]


@pytest.mark.parametrize(
    ("rate", "kind", "subtype"), [(RATE, "WAV", None), (44100, "FLAC", "PCM_24"), (48000, "OGG", None)]
)
def test_channels_are_kept_where_they_are_asked_for(rate: int, kind: str, subtype: str | None) -> None:
    clip = encoded(stereo(rate), rate, kind, subtype)
    kept = prepare_audio(clip, RATE, None, stereo=True)
    assert (pitches(kept.wav), kept.channels, kept.heard_channels) == ([LEFT, RIGHT], 2, 2)
    assert wav_samples(kept.wav).shape == (RATE, 2)
    mixed = prepare_audio(clip, RATE, None)
    assert (mixed.channels, mixed.heard_channels) == (2, 1)
    assert numpy.abs(wav_mono(kept.wav) - wav_mono(mixed.wav)).max() < 1e-3
    assert kept.hash == mixed.hash


def test_any_number_of_channels_is_kept_and_one_stays_one() -> None:
    wave = numpy.stack([sine(300 + 100 * number, 0.5, RATE) for number in range(4)], axis=1)
    assert pitches(prepare_audio(encoded(wave, RATE), RATE, None, stereo=True).wav) == [300, 400, 500, 600]
    mono = encoded(sine(300, 0.5, RATE), RATE)
    assert prepare_audio(mono, RATE, None, stereo=True) == prepare_audio(mono, RATE, None)


def test_a_long_clip_is_cut_in_all_its_channels() -> None:
    clip = encoded(stereo(seconds=3.0), RATE)
    for rule in ("cut", "windows"):
        cut = prepare_audio(clip, RATE, 1.5, rule, stereo=True)
        assert (wav_samples(cut.wav).shape, cut.rule, pitches(cut.wav)) == ((24000, 2), rule, [LEFT, RIGHT])


def test_samples_that_are_no_numbers_are_found_in_any_channel() -> None:
    wave = stereo().astype("float32")
    wave[5, 1] = numpy.nan
    with pytest.raises(Exception, match="samples that are no numbers"):
        prepare_audio(encoded(wave, RATE, subtype="FLOAT"), RATE, None, stereo=True)


@pytest.mark.parametrize("mode", ["mp3:64k", "opus:32k", "noise:10dB", "noise", "silence"])
def test_what_is_heard_in_place_of_a_clip_has_its_channels(mode: str) -> None:
    clip = prepare_audio(encoded(stereo(), RATE), RATE, None, stereo=True)
    parsed = parse_audio_mode(mode)
    assert parsed is not None
    heard = through_codec(clip, parsed) if parsed.kbits else replace_sound(clip, parsed, 7)
    assert wav_samples(heard.wav).shape == (RATE, 2)
    if parsed.keeps_clip:
        assert pitches(heard.wav) == [LEFT, RIGHT]
    if parsed.snr_db is not None:
        assert heard.snr_db == pytest.approx(10, abs=0.05)
    if mode == "noise":
        left, right = wav_samples(heard.wav).T
        assert abs(numpy.corrcoef(left, right)[0, 1]) < 0.05
    if mode == "silence":
        assert heard == silence_of(clip)


def task_in(folder: Path) -> Path:
    (folder / "clip.wav").write_bytes(encoded(stereo(), RATE).data)
    path = folder / "task.py"
    path.write_text(
        textwrap.dedent("""
        from pathlib import Path
        from dtbench import Sample, Task

        class Sides(Task):
            name = "sides"
            stereo = True

            def samples(self, data_dir):
                yield Sample("q", "Which side?", ("left", "right"), "left", Path(__file__).parent / "clip.wav")
        """)
    )
    return path


def test_an_endpoint_hears_the_channels_of_a_task_that_asks_for_them(tmp_path: Path) -> None:
    with chatting(default=Turn("left")) as chat:
        done = call("run", "--task-file", task_in(tmp_path), "--model", chat.url, "--out", tmp_path / "run")
        assert done.code == 0, done
        (asked,) = chat.asked
    part = asked.json()["messages"][0]["content"][0]
    assert pitches(base64.b64decode(part["input_audio"]["data"])) == [LEFT, RIGHT]
    (record,) = records(tmp_path / "run", "sides")
    assert record["audio"] is not None
    assert (record["audio"]["channels"], record["audio"]["heard_channels"]) == (2, 2)
    assert StoredRun.open(tmp_path / "run").info["tasks"]["sides"]["stereo"] is True


def test_a_model_of_one_channel_gets_the_mean_and_the_run_says_so(tmp_path: Path) -> None:
    family = tmp_path / "mono.toml"
    family.write_text('[mono]\ntitle = "Mono"\nstereo = false\nbackends = ["endpoint"]\n')
    with chatting(default=Turn("left")) as chat:
        asked_for = ("--task-file", task_in(tmp_path), "--model", chat.url, "-M", f"family={family}")
        dry = call("run", *asked_for, "--dry-run")
        done = call("run", *asked_for, "--out", tmp_path / "run")
        assert done.code == 0, done
        (asked,) = chat.asked
    assert "(mono WAV, 16000 Hz)" in dry.out
    part = asked.json()["messages"][0]["content"][0]
    assert len(pitches(base64.b64decode(part["input_audio"]["data"]))) == 1
    note = "the channels of each clip were mixed down: this model hears one, and the task asks for all"
    assert done.err.count(note) == 1
    run = StoredRun.open(tmp_path / "run")
    assert run.info["tasks"]["sides"]["stereo"] is False
    (record,) = records(tmp_path / "run", "sides")
    assert record["audio"] is not None
    assert (record["audio"]["channels"], record["audio"]["heard_channels"]) == (2, 1)


def test_a_report_of_such_a_task_plays_both_channels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))  # without ffmpeg clips are MP3
    assert call("run", "--task-file", task_in(tmp_path), "--model", "first", "--out", tmp_path / "run").code == 0
    assert call("report", tmp_path / "run").code == 0
    (inside,) = re.findall(r'id="clip-\d+">(.*?)</script>', (tmp_path / "run" / "report.html").read_text())
    assert pitches(base64.b64decode(inside)) == [LEFT, RIGHT]


def test_a_clip_in_memory_keeps_its_channels() -> None:
    assert pitches(prepare_audio(Bytes(encoded(stereo(), RATE).data), RATE, None, stereo=True).wav) == [LEFT, RIGHT]
