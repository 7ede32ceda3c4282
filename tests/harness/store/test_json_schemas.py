"""The JSON Schemas in the package say what every command stores and prints."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from chat_server import Asked, Turn, chatting
from command import call
from judges import chain_of, honest, mmar_with_criteria
from made_up_run import write_run
from runs import audible_data, record_files_of, write_script
from training_rows import made_rows, rows_file, without_chain

from dtbench.harness.store.json_schemas import FOLDER, KINDS, schema_text
from dtbench.training.data.rows import write_rows


@functools.cache
def stored_schema(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((FOLDER / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def assert_folder_fits(folder: Path) -> None:
    """Everything that a command left in a folder and in those inside it."""
    infos = sorted(folder.rglob("run.json"))
    assert infos
    for info in infos:
        stored_schema("run").validate(json.loads(info.read_text()))
        stored_schema("summary").validate(json.loads(info.with_name("summary.json").read_text()))
        lines = [line for path in record_files_of(info.parent) for line in path.read_text().splitlines()]
        assert lines
        for line in lines:
            stored_schema("record").validate(json.loads(line))
        questions = [line for path in info.parent.glob("*.questions.jsonl") for line in path.read_text().splitlines()]
        for line in questions:
            stored_schema("question").validate(json.loads(line))


@pytest.mark.parametrize("name", KINDS)
def test_the_file_of_a_schema_is_what_the_types_say(name: str) -> None:
    assert (FOLDER / f"{name}.schema.json").read_text() == schema_text(name), (
        "make it anew: python -m dtbench.harness.store.json_schemas"
    )


def test_what_no_type_holds_is_refused() -> None:
    flip: dict[str, Any] = {"before": None, "after": "a", "id": "1"}
    schema = json.loads((FOLDER / "comparison.schema.json").read_text())
    part = {**schema["$defs"]["Flip"], "$defs": schema["$defs"]}
    jsonschema.validate(flip, part)
    for wrong in ({**flip, "more": 1}, {"id": "1"}, {**flip, "id": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, part)


def letters(asked: Asked) -> Turn:
    """A letter with log-probabilities where one is asked for, and else a chain; one question always fails."""
    structure = asked.json().get("structured_outputs")
    if b"scene 3?" in asked.content:
        return Turn(status=400)
    if structure is None:
        return Turn("<think>It rings.</think>The answer is (B).")
    listed = structure["choice"][:-1]
    return Turn("A", tokens=[{letter: math.log(0.99 / len(listed)) for letter in listed}], finish_reason="length")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    audible_data(tmp_path / "data", 6)
    return tmp_path / "data"


def test_shards_of_a_run_and_what_they_say_of_it(tmp_path: Path) -> None:
    asked = (
        "run",
        "--model",
        "first",
        "--tasks",
        "mini",
        "--limit",
        "6",
        "--out",
        tmp_path / "run",
        "--json",
        "--shard",
    )
    for number in (1, 2):
        stored_schema("summary").validate(json.loads(call(*asked, f"{number}/2").out))
        for state in (tmp_path / "run").glob("run.*-of-2.json"):
            stored_schema("shard").validate(json.loads(state.read_text()))
    assert len(list((tmp_path / "run").glob("run.*-of-2.json"))) == 2
    assert_folder_fits(tmp_path)
    stored_schema("summary").validate(json.loads(call("merge", tmp_path / "run", "--json").out))


def test_runs_of_every_kind_and_what_score_and_compare_say_of_them(tmp_path: Path, data: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    with chatting(choose=letters) as chat:
        run = ("run", "--tasks", "mmar", "--data-dir", data, "--model", chat.url, "--max-failed", "0.5", "--out")
        forms: Iterator[tuple[str, ...]] = iter(
            [(), ("--answer", "forced"), ("--audio", "shuffle"), ("--answer", "think"), ("--permute", "1")]
        )
        for form in forms:
            assert call(*run, out, *form).code == 0
        assert call(*run, out, "--answer", "forced", "--permute", "1").code == 0
        assert call(*run, other, "--samples", "3").code == 0
    assert_folder_fits(out)
    assert_folder_fits(other)
    assert call("score", out, "--write").code == call("score", out / "answer-forced", "--write").code == 0
    assert_folder_fits(out)
    compared = call("compare", out, other, "--json")
    stored_schema("comparison").validate(json.loads(compared.out))


def test_a_run_in_which_everything_fails(tmp_path: Path, data: Path) -> None:
    script = write_script(tmp_path / "script.jsonl", [])
    assert call("run", "--tasks", "mmar", "--data-dir", data, *script, "--out", tmp_path / "out").code != 0
    info = json.loads((tmp_path / "out" / "run.json").read_text())
    stored_schema("run").validate(info)
    for line in (tmp_path / "out" / "mmar.jsonl").read_text().splitlines():
        stored_schema("record").validate(json.loads(line))


def test_a_judge_and_its_calibration(tmp_path: Path) -> None:
    mmar_with_criteria(tmp_path / "data", 4)
    write_run(tmp_path / "run", {"mmar": tmp_path / "data"}, lambda sample, _: chain_of(sample, 3))
    assert call("score", tmp_path / "run", "--write").code == 0
    with chatting(choose=honest) as chat:
        judge = ("judge", tmp_path / "run", "--model", "tiny", "--base-url", chat.url, "--price", "1/2")
        assert call(*judge).code == call(*judge, "--calibrate").code == 0
    with chatting(default=Turn("no list")) as chat:
        mute = ("--base-url", chat.url, "--calls", "1", "--out", tmp_path / "run" / "judge-mute")
        assert call("judge", tmp_path / "run", "--model", "tiny", *mute).code == 3
    assert len(list((tmp_path / "run").glob("judge-*/run.json"))) == 3
    assert_folder_fits(tmp_path / "run")


def test_mining(tmp_path: Path) -> None:
    path = rows_file(tmp_path, 4)
    with chatting(default=Turn("<think>It rings.</think>a bell")) as chat:
        mined = ("mine", path, "--out", tmp_path / "out", "--model", chat.url, "--data-dir", str(tmp_path), "--json")
        assert call(*mined).code == 0
    assert_folder_fits(Path(tmp_path / "out" / "run"))


def test_chains_of_thought(tmp_path: Path) -> None:
    write_rows(tmp_path / "drafts.jsonl", [without_chain(row) for row in made_rows(tmp_path, 3)])
    with chatting(default=Turn("too short")) as chat:
        out = ("--out", tmp_path / "out", "--captioner", chat.url, "--writer", chat.url, "--against", "none")
        call("cot", tmp_path / "drafts.jsonl", *out)
    assert_folder_fits(tmp_path / "out")


def test_a_task_of_ones_own_with_figures_of_its_own(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "support" / "own_task.py"
    figures = "\n    def figures(self, records):\n        return {'crows': sum(1 for record in records)}\n"
    (tmp_path / "birds.py").write_text(source.read_text() + figures)
    item = {"id": "1", "question": "Which bird?", "choices": ["crow", "jay"], "answer": "jay", "clip": "1.wav"}
    (tmp_path / "birds.json").write_text(json.dumps([item]))
    own = ("--task-file", tmp_path / "birds.py", "--data-dir", tmp_path, "--out", tmp_path / "out")
    assert call("run", "--model", "first", *own).code == 0
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["tasks"][0]["crows"] == 1
    assert_folder_fits(tmp_path / "out")
