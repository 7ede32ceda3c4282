"""Each benchmark that is a task file, in the layout in which its authors publish it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from audio_benchmarks import (
    write_adqa,
    write_big_bench_audio,
    write_mmau_pro,
    write_muchomusic,
    write_sakura,
    write_star_bench,
    write_trea,
    write_voicebench,
)
from command import call

from dtbench import Sample
from dtbench.harness.core.schema import text_and_clips
from dtbench.tasks.benchmarks.star_bench import ORDERS
from dtbench.tasks.registry import TASKS, get_task

OURS = Path(__file__).parents[3] / "tasks" / "benchmarks"


class Layout(NamedTuple):
    write: Callable[[Path], None]
    questions: int
    waiting: int = 0
    """Questions whose official mark needs a second pass."""


LAYOUTS = {
    "adqa-dev": Layout(write_adqa, 6),
    "adqa-bench": Layout(lambda folder: write_adqa(folder, hidden=True), 6),
    "big-bench-audio": Layout(write_big_bench_audio, 8, waiting=8),
    "mmau-pro": Layout(write_mmau_pro, 4, waiting=3),
    "muchomusic": Layout(write_muchomusic, 2),
    "sakura": Layout(write_sakura, 16, waiting=16),
    "star-bench": Layout(write_star_bench, 3 * 4 + 2 * 3 + 2 * 3),
    "trea": Layout(write_trea, 6),
    "voicebench-mmsu": Layout(write_voicebench, 4),
    "voicebench-openbookqa": Layout(write_voicebench, 2),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for name, layout in LAYOUTS.items():
        layout.write(root / name)
    return root


def test_every_task_file_is_a_benchmark_of_at_most_sixty_lines_whose_licence_is_named() -> None:
    assert {path.stem for path in OURS.glob("*.toml")} == LAYOUTS.keys()
    assert {name for name, target in TASKS.items() if target.endswith(".toml")} == LAYOUTS.keys()
    for name in LAYOUTS:
        assert len((OURS / f"{name}.toml").read_text(encoding="utf-8").splitlines()) <= 60
        assert get_task(name).licence


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_published_layout_is_read_and_its_clips_are_sound(name: str, data: Path) -> None:
    loaded = get_task(name).load(data / name)
    assert len(loaded.samples) == LAYOUTS[name].questions
    assert all(sample.clips for sample in loaded.samples)
    assert loaded.unanswerable == []
    verified = call("data", "verify", name, "--data-dir", data / name, "--subset", "--json")
    assert (verified.code, json.loads(verified.out)["problems"]) == (0, []), verified.err


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "adqa-bench"])
def test_gold_answers_have_full_marks_and_empty_ones_none(name: str, data: Path, tmp_path: Path) -> None:
    layout, folder, task = LAYOUTS[name], data / name, get_task(name)
    samples = task.load(folder).samples
    with_gold = [sample.id for sample in samples if sample.answer is not None]  # an instruction to follow has none
    ids = tmp_path / "ids.txt"
    ids.write_text("\n".join(with_gold))
    out = tmp_path / "run"
    ran = call("run", "--model", "echo-gold", "--tasks", name, "--data-dir", folder, "--ids", ids, "--out", out)
    assert ran.code == 0, ran.err
    (summary,) = json.loads((out / "summary.json").read_text())["tasks"]
    assert summary["official"]["counted"] == len(with_gold) - layout.waiting
    if layout.waiting < len(with_gold):
        assert summary["official"]["accuracy"] == 1
    assert summary["strict"]["correct"] == len([one for one in samples if one.id in with_gold and _is_read(one)])
    for sample in samples:
        nothing = task.score(sample, task.read("", sample.choices))
        assert (nothing.correct, nothing.official.value) == (None, 0)


def _is_read(sample: Sample) -> bool:
    """Whether a reader decides without a judge: not of open questions of MMAU-Pro."""
    return not sample.id.startswith("op-")


def test_star_bench_puts_three_clips_into_another_order_each_time_and_knows_which_is_right(data: Path) -> None:
    task = get_task("star-bench")
    asked = {sample.id: sample for sample in task.load(data / "star-bench").samples}
    # OSM_000: as the authors' script, run once, showed them.
    wanted = {
        0: ("123", "clip 1 -> clip 2 -> clip 3"),
        1: ("132", "clip 1 -> clip 3 -> clip 2"),
        2: ("213", "clip 2 -> clip 1 -> clip 3"),
    }
    for repeat, (order, answer) in wanted.items():
        sample = asked[f"temporal_OSM_000@{repeat}"]
        shown = "".join(Path(str(clip)).stem.removeprefix("seg_") for clip in sample.clips)
        assert (shown, sample.answer) == (order, answer)
        parts = text_and_clips(task.prompt(sample).text, 3)
        assert [part for part in parts if isinstance(part, int)] == [0, 1, 2]
        assert str(parts[0]).startswith("Three clips were cut")
        assert str(parts[0]).endswith("\nclip 1:")
    # TAO_001: two further in the list of subsets, and one further by its number.
    assert asked["temporal_TAO_001@0"].answer == "clip 3 -> clip 1 -> clip 2"
    assert ORDERS[3] == (2, 3, 1)


def test_star_bench_turns_the_options_to_the_right_and_keeps_both_channels(data: Path) -> None:
    task = get_task("star-bench")
    assert vars(task)["stereo"]
    asked = {sample.id: sample for sample in task.load(data / "star-bench").samples}
    assert asked["spatial_trajectory_000@1"].choices == ("It stays", "From left to right", "From right to left")
    text = task.prompt(asked["range_azimuth_002@0"]).text
    assert text.startswith("Audio 1:{audio 1}Audio 2:{audio 2}From which side")
    assert text.endswith("<A>: Front-Right\n<B>: Back-Right\n<C>: Back-Left\n<D>: Front-Left")


def test_spoken_questions_are_asked_by_the_clip_alone(data: Path) -> None:
    for name in ("big-bench-audio", "voicebench-mmsu", "voicebench-openbookqa"):
        task = get_task(name)
        sample = task.load(data / name).samples[0]
        assert task.prompt(sample).text == ""


@pytest.mark.parametrize("name", ["sakura", "voicebench-mmsu"])
@pytest.mark.parametrize("order", ["1", "all"])
def test_options_that_the_prompt_does_not_lay_out_have_no_other_order(
    name: str, order: str, data: Path, tmp_path: Path
) -> None:
    words = ("run", "--model", "random", "--tasks", name, "--data-dir", data / name, "--permute", order)
    told = call(*words, "--out", tmp_path / "run")
    assert told.code == 2
    assert f"--permute: the options of {name} stand in the words or the clip of its questions" in told.err


def test_sakura_takes_the_options_out_of_its_questions(data: Path) -> None:
    asked = {sample.id: sample for sample in get_task("sakura").load(data / "sakura").samples}
    single = asked["Emotion/happy_0.wav-single"]
    assert (single.choices, single.answer, single.groups["Track"]) == (("happy", "sad"), "happy", "Emotion")
    assert asked["Language/German_1.wav-multi"].answer == "Berlin"
    assert single.clips == asked["Emotion/happy_0.wav-multi"].clips


def test_closed_questions_of_mmau_pro_have_letters_and_open_ones_stand_alone(data: Path) -> None:
    task = get_task("mmau-pro")
    asked = {sample.id: task.prompt(sample) for sample in task.load(data / "mmau-pro").samples}
    assert asked["cl-2"].text == "Which clip?\n\nA. The first\nB. The second"
    assert len(asked["cl-2"].clips) == 2
    assert asked["op-1"].text == "What happens?"
    assert asked["if-1"].text == "Describe it. No commas."
