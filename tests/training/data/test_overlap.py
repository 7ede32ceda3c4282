"""Training data that overlaps a benchmark: found by samples, by sound and by question, and nothing else is."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from runs import audible_data

from dtbench.harness.core.errors import DataError
from dtbench.harness.core.schema import Sample
from dtbench.tasks.mini import Mini
from dtbench.training.data.fingerprint import MAX_DIFFERENCE, bit_difference, fingerprint
from dtbench.training.data.overlap import Overlap, OverlapIndex, check_overlap
from dtbench.training.data.row_sources import load_rows
from dtbench.training.data.rows import TrainingRow, read_rows, write_rows

RATE = 16000
Wave = np.ndarray[Any, Any]


def scene(seed: int, seconds: float = 6.0) -> Wave:
    """Ever new notes over noise, as little alike as two songs."""
    chance = np.random.default_rng(seed)
    wave = 0.02 * chance.standard_normal(int(RATE * seconds))
    for start in range(0, len(wave), RATE // 5):
        time = np.arange(min(RATE // 5, len(wave) - start)) / RATE
        for hertz in chance.uniform(250, 2500, 3):
            wave[start : start + len(time)] += 0.15 * np.sin(2 * np.pi * hertz * time) * np.exp(-4 * time)
    return wave.astype(np.float32)


def saved(path: Path, wave: Wave, rate: int = RATE, **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate, **how)
    return path


def sample(number: int, audio: Path, question: str = "") -> Sample:
    asked = question or f"What is heard in the recording with the number {number}?"
    return Sample(f"b{number}", asked, ("a bell", "a drum", "a flute"), "a bell", audio)


def row(audio: Path, question: str = "Which of these is it?", **more: Any) -> TrainingRow:
    return TrainingRow("r1", audio, question, ("a bell", "a drum", "a flute", "rain"), "a bell", **more)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmark")
    for seed in range(5):
        saved(folder / f"{seed}.wav", scene(seed))
    return folder


@pytest.fixture(scope="module")
def guard(clips: Path) -> OverlapIndex:
    guard = OverlapIndex()
    guard.add("bench", [sample(seed, clips / f"{seed}.wav") for seed in range(5)])
    return guard


def later(wave: Wave) -> Wave:
    return np.concatenate([scene(90, 2.0), wave])


COPIES: dict[str, Callable[[Wave], tuple[Wave, int, dict[str, str]]]] = {
    "the middle of it": lambda wave: (wave[RATE : 5 * RATE], RATE, {}),
    "behind something else": lambda wave: (later(wave), RATE, {}),
    "at a tenth of the level": lambda wave: (0.1 * wave, RATE, {}),
    "with noise over it": lambda wave: (wave + scene(91) * 0.05, RATE, {}),
    "as 8-bit mu-law": lambda wave: (wave, RATE, {"subtype": "ULAW"}),
    "in stereo": lambda wave: (np.stack([wave, 0.8 * wave], axis=1), RATE, {}),
    "cut where no moment begins": lambda wave: (wave[RATE + 123 :], RATE, {}),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_known_by_its_sound(how: str, guard: OverlapIndex, tmp_path: Path) -> None:
    wave, rate, more = COPIES[how](scene(3))
    copy = saved(tmp_path / "copy.wav", wave, rate, **more)
    assert guard.check([row(copy)]) == [Overlap("r1", "bench", "b3", "copy of the clip")]


def test_a_copy_in_another_format_and_rate_is_known(guard: OverlapIndex, clips: Path, tmp_path: Path) -> None:
    import soxr

    for name, rate in (("copy.mp3", 44100), ("copy.ogg", 22050)):
        copy = saved(tmp_path / name, soxr.resample(scene(2), RATE, rate), rate)
        assert guard.check([row(copy)]) == [Overlap("r1", "bench", "b2", "copy of the clip")], name


def test_the_same_samples_in_another_container_are_the_same_clip(
    guard: OverlapIndex, clips: Path, tmp_path: Path
) -> None:
    wave, rate = soundfile.read(clips / "1.wav", dtype="int16")
    flac = saved(tmp_path / "other-name.flac", wave, rate)
    assert guard.check([row(flac)]) == [Overlap("r1", "bench", "b1", "same clip")]


def test_other_sounds_are_left_alone(guard: OverlapIndex, tmp_path: Path) -> None:
    strangers = [
        *(saved(tmp_path / f"{seed}.wav", scene(seed)) for seed in range(100, 110)),
        saved(tmp_path / "silence.wav", np.zeros(4 * RATE, np.float32)),
        saved(tmp_path / "noise.wav", 0.1 * np.random.default_rng(7).standard_normal(4 * RATE).astype(np.float32)),
        saved(tmp_path / "short.wav", scene(200, 0.3)),
    ]
    rows = [dataclasses.replace(row(audio), id=audio.stem) for audio in strangers]
    assert guard.check(rows) == []


def test_two_silences_are_no_copies_of_each_other(tmp_path: Path) -> None:
    guard = OverlapIndex()
    guard.add("bench", [sample(0, saved(tmp_path / "a.wav", np.zeros(4 * RATE, np.float32)))])
    other = saved(tmp_path / "b.wav", np.zeros(5 * RATE, np.float32))
    assert guard.check([row(other)]) == []


def test_strangers_differ_in_about_half_of_their_bits_and_copies_in_far_fewer() -> None:
    one, other = (fingerprint(_clip(scene(seed))) for seed in (1, 2))
    quieter = fingerprint(_clip(0.2 * scene(1)))
    strangers, copies = bit_difference(one, other, 0), bit_difference(one, quieter, 0)
    assert strangers is not None
    assert copies is not None
    assert copies < 0.15 < MAX_DIFFERENCE < 0.42 < strangers < 0.58


class _Made:
    def __init__(self, data: bytes) -> None:
        self.data, self.label = data, "made"

    def read(self) -> bytes:
        return self.data


def _clip(wave: Wave) -> Any:
    data = io.BytesIO()
    soundfile.write(data, wave, RATE, format="WAV")
    return _Made(data.getvalue())


def test_no_clip_of_a_training_split_of_mini_is_taken_for_one_of_its_test(tmp_path: Path) -> None:
    guard = OverlapIndex()
    guard.add("mini", islice(Mini().samples(tmp_path / "test"), 60))
    rows = list(load_rows("mini:train-1", tmp_path / "train", 40))
    overlaps = guard.check(rows)
    assert (len(rows), guard.clips) == (40, 60)
    assert [one for one in overlaps if "clip" in one.how] == []


def test_a_question_of_a_benchmark_is_known_whatever_the_order_of_its_options(
    guard: OverlapIndex, tmp_path: Path
) -> None:
    audio = saved(tmp_path / "new.wav", scene(300))
    asked = "WHAT is heard, in the recording with the number 4"
    same = dataclasses.replace(row(audio, asked), choices=("A flute.", "a bell", "a drum"))
    assert guard.check([same]) == [Overlap("r1", "bench", "b4", "same question")]
    other = dataclasses.replace(same, choices=("a flute", "a bell", "thunder"))
    assert guard.check([other]) == []


def test_a_question_that_a_benchmark_puts_to_many_clips_is_no_overlap(clips: Path, tmp_path: Path) -> None:
    guard = OverlapIndex()
    guard.add("bench", [sample(seed, clips / f"{seed}.wav", "What happens in this recording?") for seed in range(2)])
    audio = saved(tmp_path / "new.wav", scene(301))
    same = dataclasses.replace(row(audio, "What happens in this recording?"), choices=("a bell", "a drum", "a flute"))
    assert guard.check([same]) == []


def test_an_overlap_refuses_the_data_and_lists_all_of_it(tmp_path: Path) -> None:
    items = audible_data(tmp_path / "data" / "mmar", 3)
    stolen = tmp_path / "data" / "mmar" / items[0]["audio_path"]
    rows = [row(saved(tmp_path / "a.wav", scene(400))), row(saved(tmp_path / "b.wav", scene(401)))]
    (tmp_path / "stolen.wav").write_bytes(stolen.read_bytes())
    rows += [dataclasses.replace(row(tmp_path / "stolen.wav"), id=f"s{n}") for n in range(5)]
    with pytest.raises(DataError) as refused:
        check_overlap(rows, "mmar", tmp_path / "data", tmp_path / "out" / "overlaps.jsonl")
    assert "5 of 7 rows overlap a benchmark, such as s0 (same clip as mmar " in str(refused.value)
    listed = [json.loads(line) for line in (tmp_path / "out" / "overlaps.jsonl").read_text().splitlines()]
    assert [one["row"] for one in listed] == ["s0", "s1", "s2", "s3", "s4"]
    assert {one["question"] for one in listed} == {items[0]["id"]}


def test_an_overlap_whose_id_no_encoding_can_write_is_listed_all_the_same(tmp_path: Path) -> None:
    audible_data(tmp_path / "data" / "mmar", 1)
    (clip,) = (tmp_path / "data" / "mmar").rglob("*.wav")
    write_rows(tmp_path / "rows.jsonl", [dataclasses.replace(row(clip), id="torn \ud83d")])
    rows = list(read_rows(tmp_path / "rows.jsonl"))
    with pytest.raises(DataError, match=r"^1 of 1 rows overlap a benchmark, such as torn \ud83d \(same clip"):
        check_overlap(rows, "mmar", tmp_path / "data", tmp_path / "overlaps.jsonl")
    (listed,) = (tmp_path / "overlaps.jsonl").read_text().splitlines()
    assert json.loads(listed)["row"] == rows[0].id == "torn \ud83d"


def test_what_was_not_compared_is_told(tmp_path: Path) -> None:
    gone = row(tmp_path / "gone.wav")
    audible_data(tmp_path / "mmar", 3)
    lines = check_overlap([gone], "found", tmp_path, tmp_path / "overlaps.jsonl")
    assert any("not checked, as their data was not found" in line and ", mmsu, " in line for line in lines)
    assert any("overlap: none of 1 rows with mmar (3 clips)" in line for line in lines)
    assert any("1 clips could not be decoded, so only their questions were compared" in line for line in lines)
    assert check_overlap([gone], "none", None, tmp_path / "x") == ["overlap: not checked (--against none)"]


def test_rows_are_compared_with_the_clips_of_a_dev_split_but_not_with_its_questions(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtbench.training.data.overlap.BENCHMARKS", ())
    dev = [dataclasses.replace(row(clips / "1.wav"), id="d1")]
    other = row(saved(tmp_path / "other.wav", scene(100)))
    listing = tmp_path / "overlaps.jsonl"
    assert check_overlap([other], "found", None, listing, dev=dev) == [
        "overlap: none of 1 rows with dev split (1 clips)"
    ]
    copy = row(saved(tmp_path / "copy.wav", 0.2 * scene(1)))
    with pytest.raises(DataError, match=r"1 of 2 rows overlap a benchmark or the dev split, such as r1 \(copy of the"):
        check_overlap([copy], "found", None, listing, dev=dev)
    assert json.loads(listing.read_text())["task"] == "dev split"
