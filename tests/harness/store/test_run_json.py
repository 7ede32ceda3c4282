from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from run_records import ABOUT, SETTINGS, TASK, changed, refusal

from dtbench.harness.store.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "first"


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        (
            changed(tasks={TASK: {**ABOUT, "prompt_hash": "c3d4"}}),
            "tasks.toy.prompt_hash: stored a1b2c3d4e5f6, now c3d4",
        ),
        (changed(seed=1), "seed: stored 0, now 1"),
        (changed(seed="0"), 'seed: stored 0, now "0"'),
        (changed(seed=False), "seed: stored 0, now false"),
        (changed(limit=10), "limit: stored nothing, now 10"),
        (changed(limit=None), "limit: stored nothing, now null"),
        ({name: value for name, value in SETTINGS.items() if name != "seed"}, "seed: stored 0, now nothing"),
        (changed(model={}), "model.name: stored scripted, now nothing; model: stored nothing, now {}"),
        (changed(model={"name": ""}), 'model.name: stored scripted, now ""'),
        (changed(model={"name": "two\nlines"}), "model.name: stored scripted, now two lines"),
    ],
)
def test_other_settings_are_refused_with_both_values(folder: Path, settings: dict[str, Any], shown: str) -> None:
    RunFolder.start(folder, SETTINGS).close()
    assert refusal(folder, settings) == (
        f"--out {folder}: holds a run with other settings: {shown}. "
        f"Give it the same settings to resume it, or name another --out."
    )


def test_long_values_are_shown_where_they_differ(folder: Path) -> None:
    RunFolder.start(folder, changed(prompt="Listen. " * 50 + "Answer." + " Thanks." * 50)).close()
    line = refusal(folder, changed(prompt="Listen. " * 50 + "Reply." + " Thanks." * 50))
    assert "Listen. Answer. Thanks" in line
    assert "Listen. Reply. Thanks" in line
    assert len(line) < 400


def test_many_differences_are_counted(folder: Path) -> None:
    RunFolder.start(folder, changed(**{f"key{number}": 0 for number in range(20)})).close()
    line = refusal(folder, changed(**{f"key{number}": 1 for number in range(20)}))
    assert line.count("stored 0, now 1") == 6
    assert "; and 14 more. " in line


def test_settings_are_compared_as_json_holds_them(folder: Path) -> None:
    RunFolder.start(folder, changed(ids=("a", "b"), temperature=1, by_number={1: "x"})).close()
    with RunFolder.start(folder, changed(by_number={"1": "x"}, temperature=1.0, ids=["a", "b"])) as run:
        assert run.resumed


def test_settings_cannot_take_the_names_of_run_json(folder: Path) -> None:
    with pytest.raises(ValueError, match="status"):
        RunFolder.start(folder, {"status": "done"})
    assert not folder.exists()
