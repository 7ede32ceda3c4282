"""`make claims` in its short form: an engine that learns nothing, and an endpoint for the models that are evaluated."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from chat_server import Turn, chatting
from command import process
from processes import descendants
from runs import wait_until
from stand_in_engine import install
from trainer import endpoint_recipe

import dtbench
from dtbench.training.engines.metrics import read_steps

CLAIMS = """
[[arm]]
name = "two"
[[arm.stage]]
extends = "stage-1"
[[arm.stage]]
extends = "stage-1"
name = "more"
seed_offset = 1

[[claim]]
name = "trained"
text = "Training helps."
between = ["recipe", "base"]
at_least = 0.1
seeds = 2
questions = 4
primary = true

[[claim]]
name = "more"
text = "More of it helps more."
between = ["two", "recipe"]
at_least = 0.1
seeds = 2
questions = 4
"""


def claims(recipe: Path, folder: Path, *options: str) -> subprocess.Popen[str]:
    """`make claims` in a process of its own."""
    places = ["--out", str(folder / "out"), "--results", str(folder / "results"), "--engine", str(folder / "engine")]
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(dtbench.__file__).parent.parent),
        "DTBENCH_EVALUATIONS": "off",
        "STAND_IN_STEP": "0.15",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "dtbench.training.claims", str(recipe), *places, "--cores", "4", "--json", *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kept(folder: Path) -> Mapping[str, bytes]:
    return {path.stem: path.read_bytes() for path in (folder / "results").glob("*/*.json")}


def test_claims_are_decided_over_a_kill_and_a_limit_of_time_and_nothing_is_trained_twice(tmp_path: Path) -> None:
    install(tmp_path / "engine")
    with chatting(default=Turn("(B)")) as chat:
        recipe = endpoint_recipe(
            tmp_path,
            chat.url,
            4,
            ("limit = 24", "limit = 4"),
            ("describe = true", "describe = false"),
            ("audio_ablation = true", "audio_ablation = false"),
        )
        recipe.write_text(recipe.read_text().rpartition("[[stage]]")[0] + CLAIMS)
        others = {one.pid for one in descendants(os.getpid())}  # of tests before this one
        killed = claims(recipe, tmp_path)
        wait_until(lambda: any((tmp_path / "out").glob("short/recipe-0.*/stage-1/metrics.jsonl")), 240)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        over = claims(recipe, tmp_path, "--minutes", "0")
        said = over.communicate(timeout=240)[1]
        assert (over.returncode, "the time is over: 4 trainings are left" in said) == (0, True), said
        whole = claims(recipe, tmp_path)
        out, said = whole.communicate(timeout=240)
        assert whole.returncode == 0, said
        first = kept(tmp_path)
        asked = len(chat.asked)
        again = claims(recipe, tmp_path)
        assert again.communicate(timeout=240)[0] == out
        (alone,) = (tmp_path / "out" / "short").glob("recipe-0.*/train.json")
        one = process("train", recipe, "--out", alone.parent, "--engine", tmp_path / "engine")
        assert len(chat.asked) == asked
    assert one.code == 0, one.err
    assert one.out.partition("What the recipe claims")[2].splitlines()[1:4] == [
        "undecided  Training helps.",
        f"{'':11}accuracy: recipe − base = +0.0 (+0.0 to +0.0), claimed is 10.0 or more; it does not hold here; a "
        "verdict takes 2 trainings with different seeds",
        "1 more claim compares with two: `make claims` in a clone trains that too.",
    ]
    assert sorted(first) == ["base", "recipe-0", "recipe-1", "two-0", "two-1"]
    assert kept(tmp_path) == first
    assert [(one["name"], one["verdict"], one["difference"]) for one in json.loads(out)] == [
        ("trained", "refuted", 0.0),
        ("more", "refuted", 0.0),
    ]
    (two,) = (tmp_path / "out" / "short").glob("two-0.*/train.json")
    assert "stage-1: reused from" in two.read_text()
    steps = [read_steps(path) for path in (tmp_path / "out" / "short").glob("*/*/metrics.jsonl")]
    assert [[step["step"] for step in one] for one in steps] == [[1, 2, 3, 4, 5, 6]] * len(steps)
    assert [one for one in descendants(os.getpid()) if one.pid not in others] == []


def test_a_time_that_is_none_and_a_recipe_that_claims_nothing_are_refused(tmp_path: Path) -> None:
    late = claims(Path("mini"), tmp_path, "--until", "25:00")
    assert late.communicate(timeout=240)[1] == "dtbench: --until 25:00: a time such as 18:30 is expected.\n"
    assert late.returncode == 2
    drawn = claims(Path("mini"), tmp_path, "--curves", "learnt.gif")
    assert drawn.communicate(timeout=240)[1] == (
        "dtbench: --curves learnt.gif: a file that ends in .svg, .png, .pdf is expected.\n"
    )
    nothing = claims(Path("qwen3-omni-30b"), tmp_path)
    said = nothing.communicate(timeout=240)[1]
    assert said.startswith("dtbench: qwen3-omni-30b: claims nothing: it has no [[claim]]. Recipes with some: mini")
