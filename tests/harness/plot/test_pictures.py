"""`dtbench plot`: what stands in a picture, read back from its SVG, is what the runs say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from command import call
from made_up_run import number_of, write_run
from small_data import mmar_items, write_json

from dtbench.harness.core.schema import Sample
from dtbench.harness.frames.group_cells import TabledTask
from dtbench.harness.plot.look import mark_of, picture_bytes
from dtbench.harness.plot.picture import plot_runs
from dtbench.harness.stats.intervals import wilson
from dtbench.harness.store.run_folder import StoredRun

SVG = "{http://www.w3.org/2000/svg}"
QUESTIONS = 60
NEAR = 0.2
"""Percentage points by which rounding in a file may move a point."""


def right_unless(divisor: int, reasoning: int = 0) -> Any:
    """A model that cannot answer each question of so many; the longer ones of its chains are of later questions."""

    def says(sample: Sample, repeat: int) -> str:
        chain = f"<think>{'a' * (reasoning * (1 + number_of(sample)))}</think>" if reasoning else ""
        return f"{chain}{sample.answer if number_of(sample) % divisor else 'I cannot tell.'}"

    return says


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    write_json(folder / "data" / "MMAR-meta.jsonl", mmar_items(QUESTIONS))
    for name, says in (("base", right_unless(3, reasoning=10)), ("tuned", right_unless(10, reasoning=10))):
        write_run(folder / name, {"mmar": folder / "data"}, says)
    return folder / "base", folder / "tuned"


class ReadPicture:
    """An SVG, with what it shows in the units of its axes."""

    def __init__(self, svg: bytes) -> None:
        self.root = ElementTree.fromstring(svg)
        self.named = {one.get("id", ""): one for one in self.root.iter() if one.get("id")}
        self.texts = ["".join(one.itertext()) for one in self.root.iter(f"{SVG}text")]

    def _scale(self, axis: str) -> Sequence[tuple[float, float]]:
        """The places and values of the first and the last tick of an axis."""
        ticks = []
        for name, group in self.named.items():
            if re.fullmatch(rf"{axis}tick_\d+", name):
                use = next(one for one in group.iter(f"{SVG}use"))
                word = next("".join(one.itertext()) for one in group.iter(f"{SVG}text"))
                ticks.append((float(use.get(axis, "")), float(word.replace(",", ""))))
        ticks.sort()
        return ticks[0], ticks[-1]

    def value(self, axis: str, place: float) -> float:
        """What a place stands for."""
        (start, low), (end, high) = self._scale(axis)
        return low + (place - start) / (end - start) * (high - low)

    def point(self, name: str, axis: str) -> float:
        """Where a point stands."""
        use = next(self.named[name].iter(f"{SVG}use"))
        return self.value(axis, float(use.get(axis, "")))

    def ends(self, name: str, axis: str) -> list[float]:
        """From where to where a line goes."""
        path = next(self.named[name].iter(f"{SVG}path"))
        numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", path.get("d", ""))]
        return [self.value(axis, place) for place in numbers[axis == "y" :: 2]]


def picture(*runs: Path, **options: Any) -> ReadPicture:
    """A picture of runs, read back."""
    return ReadPicture(picture_bytes(plot_runs(list(runs), **options), "svg"))


def test_groups_stand_at_their_values_with_intervals_and_the_chance_line(runs: tuple[Path, Path]) -> None:
    found = picture(*runs, by="sub-category", labels=["base", "tuned"])
    rows = (("Avg", 60, (2 / 3, 0.9)), ("Content Analysis", 30, (2 / 3, 1.0)), ("Music Theory", 30, (2 / 3, 0.8)))
    for row, (title, n, shares) in enumerate(rows):
        assert title in found.texts
        for place, share in enumerate(shares):
            assert found.point(f"point-{row}-{place}", "x") == pytest.approx(100 * share, abs=NEAR)
            limits = [100 * limit for limit in wilson(share, n)]
            assert found.ends(f"interval-{row}-{place}", "x") == pytest.approx(limits, abs=NEAR)
        chance = 100 * (1 / 2 + 1 / 3 + 1 / 4) / 3
        assert found.ends(f"chance-{row}", "x") == pytest.approx([chance, chance], abs=NEAR)
    assert {"base", "tuned", "guessing", "Official accuracy (%)"} <= {*found.texts}


def test_accuracy_stands_over_the_length_of_the_reasoning(runs: tuple[Path, Path]) -> None:
    found = picture(runs[0], kind="length", score="strict")
    expected = TabledTask.open(StoredRun.open(runs[0]), "mmar", None).summary["chain_lengths"]
    assert len(expected) == 5
    for place, one in enumerate(expected):
        middle = (one["shortest"] + one["longest"]) / 2
        assert found.point(f"point-0-{place}", "x") == pytest.approx(middle, abs=1)
        assert found.point(f"point-0-{place}", "y") == pytest.approx(100 * one["accuracy"], abs=NEAR)
        assert sorted(found.ends(f"interval-0-{place}", "y")) == pytest.approx(
            [100 * one["low"], 100 * one["high"]], abs=NEAR
        )
        assert found.ends(f"part-0-{place}", "x") == pytest.approx([one["shortest"], one["longest"]], abs=1)
    assert found.ends("chance", "y")[0] == pytest.approx(100 * (1 / 2 + 1 / 3 + 1 / 4) / 3, abs=NEAR)
    assert "Length of the reasoning (characters)" in found.texts


def with_info(run: Path, change: Any) -> None:
    """Change the run.json of a run."""
    info = json.loads((run / "run.json").read_text())
    change(info)
    (run / "run.json").write_text(json.dumps(info))


def test_budgets_of_one_model_are_one_line(tmp_path: Path, runs: tuple[Path, Path]) -> None:
    for budget, divisor in ((256, 2), (1024, 5)):
        out = tmp_path / f"budget-{budget}"
        write_run(out, {"mmar": runs[0].parent / "data"}, right_unless(divisor))
        with_info(out, lambda info, budget=budget: info["tasks"]["mmar"].update(think_budget=budget))
    write_run(tmp_path / "free", {"mmar": runs[0].parent / "data"}, right_unless(10))
    found = picture(tmp_path, kind="budget")
    assert [found.point(f"point-0-{place}", "y") for place in (0, 1)] == pytest.approx([50, 80], abs=NEAR)
    assert sorted(found.ends("interval-0-1", "y")) == pytest.approx([100 * x for x in wilson(0.8, 60)], abs=NEAR)
    assert found.ends("no-limit-0", "y")[0] == pytest.approx(90, abs=NEAR)
    assert {"256", "1,024", "made up", "made up, no limit", "Budget of the reasoning (tokens)"} <= {*found.texts}


def test_calibration_shows_each_bin_and_the_error(tmp_path: Path, runs: tuple[Path, Path]) -> None:
    out = tmp_path / "forced"
    write_run(out, {"mmar": runs[0].parent / "data"}, right_unless(3))
    summary: dict[str, Any] = dict(TabledTask.open(StoredRun.open(out), "mmar", None).summary)
    bins = [
        {"low": 0.4, "high": 0.4667, "n": 20, "confidence": 0.45, "accuracy": 0.3},
        {"low": 0.8, "high": 0.8667, "n": 40, "confidence": 0.84, "accuracy": 0.75},
    ]
    calibration = {"n": 60, "accuracy": 0.6, "confidence": 0.71, "ece": 0.11, "ece_equal_mass": 0.1}
    calibration |= {"ece_by_chance": 0.05, "brier": 0.4}
    counts = dict.fromkeys(("n", "no_letter", "started_with_chain", "with_logprobs", "scored", "not_argmax"), 0)
    summary["forced"] = {**counts, "confidence": 0.7, "letter_mass": 0.9, "calibration": {**calibration, "bins": bins}}
    (out / "summary.json").write_text(json.dumps({"run": str(out), "status": "done", "tasks": [summary]}))
    found = picture(out, kind="calibration", labels=["forced"])
    for place, one in enumerate(bins):
        assert found.point(f"point-0-{place}", "x") == pytest.approx(100 * float(one["confidence"]), abs=NEAR)
        assert found.point(f"point-0-{place}", "y") == pytest.approx(100 * float(one["accuracy"]), abs=NEAR)
        limits = [100 * x for x in wilson(float(one["accuracy"]), float(one["n"]))]
        assert sorted(found.ends(f"interval-0-{place}", "y")) == pytest.approx(limits, abs=NEAR)
    assert found.ends("as-said", "x") == pytest.approx(found.ends("as-said", "y"), abs=NEAR)
    assert "forced: ECE 0.110" in found.texts


def test_curves_of_a_training_go_on_over_its_stages(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text(json.dumps({"stages": [{"name": "one"}, {"name": "two"}]}))
    for stage, rewards in (("one", [0.0, 1.0, 4.0]), ("two", [2.0, 3.0])):
        (tmp_path / stage).mkdir()
        lines = [json.dumps({"step": step, "reward": value, "kl": 0.1}) for step, value in enumerate(rewards, start=1)]
        (tmp_path / stage / "metrics.jsonl").write_text("\n".join(lines))
    found = picture(tmp_path, kind="training", metrics=["reward"])
    assert found.ends("curve-reward-0", "x") == pytest.approx([1, 2, 3], abs=0.01)
    assert found.ends("curve-reward-0", "y") == pytest.approx([0, 1, 4], abs=0.01)
    assert found.ends("curve-reward-1", "x") == pytest.approx([4, 5], abs=0.01)
    assert found.ends("curve-reward-1", "y") == pytest.approx([2, 3], abs=0.01)
    assert {"one", "two", "reward", "Step, over all stages"} <= {*found.texts}


def test_nights_stand_by_date_with_the_verdicts_of_the_gate(tmp_path: Path, runs: tuple[Path, Path]) -> None:
    nights = tmp_path / "nights"
    for day, divisor in ((3, 2), (1, 10), (2, 9)):
        out = nights / f"night-{day}"
        write_run(out, {"mmar": runs[0].parent / "data"}, right_unless(divisor))
        with_info(out, lambda info, day=day: info.update(start=f"2026-01-0{day}T02:00:00+00:00"))
    found = picture(nights, kind="history", baseline=runs[1])
    done = call("gate", "--baseline", runs[1], "--candidate", nights / "night-3", "--history", nights, "--json")
    verdict = json.loads(done.out)["verdict"]
    assert verdict in {"regressed", "undecided"}
    names = [name for name in found.named if name.startswith("night-")]
    assert names[-1] == f"night-2-{verdict}"
    assert [found.point(name, "y") for name in names] == pytest.approx([90, 100 * 53 / 60, 50], abs=NEAR)
    assert found.ends("baseline", "y")[0] == pytest.approx(90, abs=NEAR)
    words = "Start of the run (UTC); the gate takes the last 5 nights together"
    assert {f"gate: {verdict}", "baseline", words} <= {*found.texts}
    places = [float(next(found.named[name].iter(f"{SVG}use")).get("x", "")) for name in names]
    assert places[2] - places[1] == pytest.approx(places[1] - places[0], abs=0.01)


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_the_same_runs_give_the_same_bytes_whatever_the_users_style(
    ending: str, tmp_path: Path, runs: tuple[Path, Path]
) -> None:
    import matplotlib

    out = tmp_path / f"picture.{ending}"
    assert call("plot", *runs, "--out", out).code == 0
    first = out.read_bytes()
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "lines.linewidth": 7}):
        before = dict(matplotlib.rcParams)
        assert call("plot", *runs, "--out", out).code == 0
        assert dict(matplotlib.rcParams) == before
    assert out.read_bytes() == first
    assert first.startswith({"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[ending])
    assert not re.search(rb"20\d\d-\d\d-\d\d|CreationDate|dc:date", first)


def test_what_is_written_is_told_as_json(tmp_path: Path, runs: tuple[Path, Path]) -> None:
    out = tmp_path / "picture.svg"
    told = json.loads(call("plot", runs[0], "--out", out, "--json").out)
    assert told == {"path": str(out), "kind": "groups", "size": out.stat().st_size}


def test_no_window_system_is_touched_and_no_global_figure_kept(runs: tuple[Path, Path]) -> None:
    code = (
        "import sys; from dtbench.harness.plot.picture import plot_runs; "
        f"plot_runs([{str(runs[0])!r}])._repr_svg_(); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "label", ["_hidden", "$\\frac{1}{", '<script>alert(1)</script> & "x"', "\x1b[31mred\x00\nline", "雨の音", "x" * 300]
)
def test_a_hostile_label_is_words(label: str, runs: tuple[Path, Path]) -> None:
    found = picture(*runs, labels=[label])
    assert f"{SVG}script" not in {one.tag for one in found.root.iter()}
    shown = {"\x1b[31mred\x00\nline": "\\x1b[31mred\\x00 line", "x" * 300: f"{'x' * 43}…"}.get(label, label)
    assert shown in found.texts


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--kind", "pie"), "--kind pie: unknown. "),
        (
            ("--out", "x.bmp"),
            "--out x.bmp: the extension sets the format, and bmp is not one of .svg, .png, .pdf.",
        ),
        (("--kind", "calibration"), "--kind calibration needs forced answers with log-probabilities"),
        (("--kind", "budget"), "--kind budget needs runs with --think-budget, and none has it."),
        (("--kind", "training"), "--kind training needs the folder of `dtbench train`, and this is none."),
        (("--kind", "length", "--by", "category"), "--by: only --kind groups takes it, and this is --kind length."),
        (("--by", "catgory"), "--by catgory: mmar has no such heading. Did you mean category"),
        (("--task", "mmsu"), "--task mmsu: none of the runs has it."),
    ],
)
def test_what_a_run_lacks_is_one_clear_error(
    options: tuple[str, ...], expected: str, tmp_path: Path, runs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert expected in call("plot", runs[0], *options).refusal()
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_reasoning_has_no_lengths(tmp_path: Path, runs: tuple[Path, Path]) -> None:
    write_run(tmp_path / "direct", {"mmar": runs[0].parent / "data"}, right_unless(3))
    line = call("plot", tmp_path / "direct", "--kind", "length", "--out", tmp_path / "x.svg").refusal()
    assert "--kind length needs 16 answers with reasoning at least, and 0 have some" in line


def test_without_matplotlib_one_line_says_what_to_install(
    runs: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    line = call("plot", runs[0], "--out", tmp_path / "x.svg").refusal()
    assert re.search(r"pictures need matplotlib, which is not here: pip install '\S+\[analysis\]'\.$", line)


def test_runs_can_be_told_apart_in_grey() -> None:
    assert len({mark_of(place) for place in range(56)}) == 56
    assert len({mark_of(place).marker for place in range(8)}) == 8
