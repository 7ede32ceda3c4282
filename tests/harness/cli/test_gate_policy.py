"""`dtbench gate --policy`: a drop, an alpha and a weight for each task and group."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command import Done, call
from made_up_run import write_run
from small_data import mmar_items, write_json

from dtbench.harness.core.schema import Sample


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A baseline that is always right, and a candidate that is wrong about all speech."""
    write_json(tmp_path / "data" / "MMAR-meta.jsonl", mmar_items(300))
    write_run(tmp_path / "base", {"mmar": tmp_path / "data"}, lambda sample, repeat: sample.choices[0])
    write_run(tmp_path / "candidate", {"mmar": tmp_path / "data"}, fails_at_speech)
    return tmp_path


def fails_at_speech(sample: Sample, repeat: int) -> str:
    return sample.choices[1 if sample.item["modality"] == "speech" else 0]


def gated(runs: Path, policy: str, *options: str) -> Done:
    (runs / "gate.toml").write_text(policy)
    both = ("--baseline", runs / "base", "--candidate", runs / "candidate")
    return call("gate", *both, "--policy", runs / "gate.toml", *options)


def verdicts(done: Done) -> dict[str, dict[str, Any]]:
    return {one["group"] or one["task"]: one for one in json.loads(done.out)["results"]}


def test_each_task_and_group_has_a_drop_and_an_alpha_of_its_own(runs: Path) -> None:
    done = gated(
        runs, 'alpha = 0.01\n[mmar]\nmax_drop = 30\n[mmar."modality=speech"]\nmax_drop = 5\nalpha = 0.1\n', "--json"
    )
    found = verdicts(done)
    assert done.code == 1
    assert [found[name]["verdict"] for name in ("mmar", "modality=speech")] == ["passed", "regressed"]
    assert [found[name]["alpha"] for name in ("mmar", "modality=speech")] == [0.01, 0.1]
    assert [round(100 * found[name]["max_drop"]) for name in ("mmar", "modality=speech")] == [30, 5]


def test_what_is_not_required_is_shown_and_decides_nothing(runs: Path) -> None:
    policy = '[mmar]\nmax_drop = 30\n[mmar."modality=speech"]\nmax_drop = 5\nrequired = false\n'
    done = gated(runs, policy)
    assert done.code == 0
    assert "regressed mmar modality=speech (not required): " in done.out


def test_the_command_line_asks_where_the_policy_says_nothing(runs: Path) -> None:
    found = verdicts(gated(runs, "[mmar]\n", "--max-drop", "40", "--alpha", "0.02", "--json"))
    assert (found["mmar"]["max_drop"], found["mmar"]["alpha"]) == (0.4, 0.02)


@pytest.mark.parametrize(
    ("policy", "complaint"),
    [
        ("[mmsu]\n", "[mmsu]: the runs have no such task. Did you mean mmar? Known: mmar. Or say required = false."),
        ('[mmar."modality=speach"]\n', "the runs have no such group. Did you mean modality=speech"),
        ("[mmar]\nmax_dorp = 1\n", "[mmar]: unknown setting 'max_dorp'. Did you mean max_drop"),
        ("[mmar]\nmax_drop = 101\n", "[mmar]"),
        ("alpha = 0.7\n[mmar]\n", "alpha"),
        ("alpha = 0.1\n", "no task is named; a task begins with a line such as [mmar]"),
        ("[mmar\n", "gate.toml"),
    ],
)
def test_a_wrong_policy_is_one_line(runs: Path, policy: str, complaint: str) -> None:
    assert complaint in gated(runs, policy).refusal()


def test_a_task_that_is_not_required_may_be_absent(runs: Path) -> None:
    assert gated(runs, "[mmar]\nmax_drop = 40\n[mmsu]\nrequired = false\n").code == 0
