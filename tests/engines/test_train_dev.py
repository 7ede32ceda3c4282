"""A dev split through the real engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from trainer import begun, ended, short_recipe, train

from dtbench.training.engines.metrics import read_steps
from dtbench.training.stages.layout import Layout

pytestmark = pytest.mark.engine
VALIDATION = '[validation]\ndata = ["mini-train-1"]\nevery = 2\nquestions = 17\n[evaluation]'


def test_ms_swift_measures_the_dev_split_of_which_each_question_is_answered_once(tmp_path: Path) -> None:
    file = short_recipe(
        tmp_path,
        ("[evaluation]", VALIDATION),
        ("steps = 6", "steps = 3"),
        ("limit = 24", "limit = 4"),
        ("audio_ablation = true", "audio_ablation = false"),
        ("describe = true", "describe = false"),
    )
    file.write_text(file.read_text().rpartition("[[stage]]")[0])
    begun(file, tmp_path / "run")
    code, out, err = ended(train(file, tmp_path / "run"))
    assert code == 0, err
    layout = Layout(tmp_path / "run").stage("stage-1")
    noted = (tmp_path / "run" / "run.log").read_text()
    assert "stage-1: 16 dev questions, without the last 1, as batches are whole" in noted
    steps = {int(step["step"]): step for step in read_steps(layout.metrics)}
    assert [number for number, step in steps.items() if "dev/accuracy" in step] == [2, 3], "and after the last"
    for number in (2, 3):
        step = steps[number]
        assert step["dev/accuracy"] * 16 == int(step["dev/accuracy"] * 16)
        assert step["dev/format"] * 16 == int(step["dev/format"] * 16)
    assert steps[3]["dev/gap"] == pytest.approx(steps[3]["reward/accuracy"] - steps[3]["dev/accuracy"], abs=1e-6)
    best = json.loads(layout.best_step.read_text())
    assert best["value"] == max(step["dev/accuracy"] for step in (steps[2], steps[3]))
    kept = layout.best / f"checkpoint-{best['step']}"
    assert (layout.model / "model.safetensors").samefile(kept / "model.safetensors")
    counts = [(layout.reward_counts / f"dev-rank-{rank}.jsonl").read_text().splitlines() for rank in (0, 1)]
    assert [len(lines) for lines in counts] == [2, 2], "a batch of each of two processes, after two steps"
    assert all({"guard_rate", "length_right"} <= step.keys() for step in steps.values()), "of training, not of dev"
    assert json.loads(out)["dev"][0]["step"] == best["step"]
