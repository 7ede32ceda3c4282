from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from run_records import ABOUT, SETTINGS, TASK, changed, refusal

from dtbench.harness.store.run_folder import RunFolder
from dtbench.harness.store.run_json import OWN_KEYS, json_settings

DATA: Any = ABOUT["data"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "first"


def about(**parts: Any) -> dict[str, Any]:
    """The settings with another description of the task."""
    return changed(tasks={TASK: {**ABOUT, **parts}})


@pytest.mark.parametrize(
    ("settings", "shown", "same"),
    [
        (changed(seed=1), "other settings (seed 0; now 1)", "settings"),
        (changed(seed="0"), 'other settings (seed 0; now "0")', "settings"),
        (changed(seed=False), "other settings (seed 0; now false)", "settings"),
        (changed(limit=10), "other settings (limit not set; now 10)", "settings"),
        (changed(limit=None), "other settings (limit not set; now none)", "settings"),
        (
            {name: value for name, value in SETTINGS.items() if name != "seed"},
            "other settings (seed 0; now not set)",
            "settings",
        ),
        (changed(model={}), "another model (scripted; now none)", "model"),
        (changed(model={"name": ""}), 'another model (scripted; now "")', "model"),
        (changed(model={"name": "two\nlines"}), "another model (scripted; now two lines)", "model"),
        (
            changed(model={"name": "scripted", "sampling": {"temperature": 0.7}}),
            "other sampling (temperature not set; now 0.7)",
            "sampling",
        ),
        (
            changed(model={"name": "scripted", "rate": 8000}, long_clips="windows"),
            "another rule for long clips (cut; now windows) and another clip rate (none; now 8000)",
            "rule for long clips and clip rate",
        ),
        (about(seed=3), "another seed (0; now 3)", "seed"),
        (about(answer="think", prompt_hash="c3d4"), "another answer style (direct; now think)", "answer style"),
        (about(audio="noise"), "other clips (--audio clip; now --audio noise)", "clips"),
        (about(permute=2), "another order of the options (--permute 0; now --permute 2)", "order of the options"),
        (about(data={**DATA, "version": "v2"}), "other data (toy v1; now toy v2)", "data"),
        (
            about(chain=["<a>", "</a>"]),
            "other tags around the reasoning (none; now <a>,</a>)",
            "tags around the reasoning",
        ),
        (
            about(prompt="{question}!", prompt_hash="c3d4"),
            ("another prompt (first difference: '{question}'; now '{question}!')"),
            "prompt",
        ),
        (changed(kind="judge"), None, None),
    ],
)
def test_another_identity_is_refused_in_words_with_both_values(
    folder: Path, settings: dict[str, Any], shown: str | None, same: str | None
) -> None:
    RunFolder.start(folder, SETTINGS).close()
    line = f"{folder} was made with {shown}. Use another --out, or the same {same}."
    if shown is None:
        line = f"--out {folder}: `dtbench run` made this folder; name another --out."
    assert refusal(folder, settings) == line


@pytest.mark.parametrize(
    "settings",
    [
        changed(model={"name": "scripted", "timeout": 3, "chain": ["<a>", "</a>"]}),
        changed(endpoint={"urls": ["http://localhost:1/v1"]}, track="single"),
        changed(model={"name": "scripted", "flags": {"tensor_parallel_size": "8"}}),
        about(questions=3, ids_sha256="c3", samples=4, chosen_by=["--limit 3"], ids=["item-1", "item-2", "item-3"]),
        about(data={**DATA, "source": "elsewhere.jsonl"}, task_file="elsewhere.py"),
        about(shared_clips={"item-1": 0}),
        changed(tasks={TASK: ABOUT, "other": ABOUT}),
        changed(tasks={"other": {**ABOUT, "prompt_hash": "c3d4", "data": {**DATA, "version": "v9"}}}),
    ],
)
def test_what_changes_no_answer_is_no_other_run(folder: Path, settings: dict[str, Any]) -> None:
    RunFolder.start(folder, SETTINGS).close()
    with RunFolder.start(folder, settings) as run:
        assert run.resumed
        assert list(run.info["tasks"]) == list(settings["tasks"])
        kept = {**run.info.get("other_tasks", {}), **run.info["tasks"]}
        assert kept.keys() == {TASK, *settings["tasks"]}


def test_a_new_task_must_be_asked_in_the_form_of_the_others(folder: Path) -> None:
    RunFolder.start(folder, SETTINGS).close()
    line = refusal(folder, changed(tasks={"other": {**ABOUT, "permute": 1}}))
    assert "was made with another order of the options (--permute 0; now --permute 1)." in line


def test_what_differs_between_the_models_of_two_tasks_is_no_difference_of_the_run(folder: Path) -> None:
    first = {"name": "majority", "oracle": True, "right": {"A": 3}}
    both = changed(
        model={"name": "majority", "oracle": True},
        tasks={TASK: {**ABOUT, "model": {"right": {"A": 3}}}, "other": {**ABOUT, "model": {"right": {"A": 9}}}},
    )
    RunFolder.start(folder, changed(model=first)).close()
    RunFolder.start(folder, both).close()
    run = RunFolder.start(folder, changed(model={**first, "right": {"A": 9}}, tasks={"other": ABOUT}))
    run.close()
    assert run.info["other_tasks"][TASK]["model"] == {"right": {"A": 3}}
    line = refusal(folder, changed(model={**first, "right": {"A": 4}}))
    assert "was made with other options of the model (right " in line


def test_long_values_are_shown_where_they_differ(folder: Path) -> None:
    RunFolder.start(folder, about(prompt="Listen. " * 50 + "Answer." + " Thanks." * 50)).close()
    line = refusal(folder, about(prompt="Listen. " * 50 + "Reply." + " Thanks." * 50, prompt_hash="other"))
    assert "Listen. Answer. Thanks" in line
    assert "Listen. Reply. Thanks" in line
    assert len(line) < 400


def test_many_differences_are_counted(folder: Path) -> None:
    RunFolder.start(folder, changed(**{f"key{number}": 0 for number in range(20)})).close()
    line = refusal(folder, changed(**{f"key{number}": 1 for number in range(20)}))
    assert line.count("0; now 1") == 4
    assert " and 16 more). " in line


def test_settings_are_compared_as_json_holds_them(folder: Path) -> None:
    RunFolder.start(folder, changed(ids=("a", "b"), temperature=1, by_number={1: "x"})).close()
    with RunFolder.start(folder, changed(by_number={"1": "x"}, temperature=1.0, ids=["a", "b"])) as run:
        assert run.resumed


def test_settings_cannot_take_the_names_of_run_json(folder: Path) -> None:
    with pytest.raises(ValueError, match="status"):
        RunFolder.start(folder, {"status": "done"})
    assert not folder.exists()


def test_a_setting_takes_no_name_that_run_json_uses_itself() -> None:
    for name in OWN_KEYS:
        with pytest.raises(ValueError, match=f"settings cannot be named {name}: run.json uses these names itself"):
            json_settings({"kind": "run", name: 1})
