from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command import call, process
from made_up_run import write_run
from small_data import mmar_v2_folder, mmau_json_folder, mmsu_parquet

from dtbench.harness.core.schema import Sample
from dtbench.harness.run.plan import PromptForm
from dtbench.harness.store.run_folder import RunFolder, StoredRun
from dtbench.harness.store.run_json import OWN_KEYS


def by_turns(sample: Sample, repeat: int) -> str | None:
    """Right, wrong, unreadable, none: by the digits of the question's number."""
    number = int(sample.question.rstrip("?")[-1])
    return (sample.answer, sample.choices[1], "Hard to say.", None, sample.answer, sample.answer)[number]


@pytest.fixture
def data(tmp_path: Path) -> dict[str, Path]:
    folders = {name: tmp_path / "data" / name for name in ("mmar", "mmau-mini", "mmsu")}
    for (_, folder), write in zip(folders.items(), (mmar_v2_folder, mmau_json_folder, mmsu_parquet), strict=True):
        write(folder)
    return folders


@pytest.fixture
def run(tmp_path: Path, data: dict[str, Path]) -> Path:
    write_run(tmp_path / "run", data, by_turns)
    return tmp_path / "run"


def scored(*arguments: str | Path) -> list[dict[str, Any]]:
    done = call("score", *arguments, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert isinstance(found, list)
    return found


def contents(run: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in run.iterdir() if file.name != ".lock"}


def test_a_run_is_scored_again_from_its_records(run: Path) -> None:
    before = contents(run)
    tasks = scored(run)
    assert [one["task"] for one in tasks] == ["mmar", "mmau-mini", "mmsu"]
    for one in tasks:
        assert one["differ"] == {"n": 0, "ids": []}
        assert (one["n"], one["unanswered"], one["failed"], one["dropped"]) == (6, 1, 1, 1)
        assert one["strict"]["accuracy"] == one["strict"]["correct"] / 6
        assert one["official"]["counted"] == 5
    assert contents(run) == before


def test_its_keys_are_those_of_a_prediction_file_and_more(run: Path, data: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "predictions.jsonl"
    items = [json.loads(line) for line in (data["mmar"] / "MMAR-meta.jsonl").read_text().splitlines()]
    file.write_text("".join(json.dumps({**item, "answer_prediction": "a bird"}) + "\n" for item in items))
    done = call("score", "--task", "mmar", "--predictions", file, "--json")
    assert json.loads(done.out).keys() <= scored(run)[0].keys()


def settings(run: Path) -> dict[str, Any]:
    return {name: value for name, value in StoredRun.open(run).info.items() if name not in OWN_KEYS}


def test_verdicts_of_older_code_are_replaced_and_told(run: Path) -> None:
    lines = list(StoredRun.open(run).records("mmar"))
    (run / "mmar.jsonl").unlink()
    lines[0]["extraction"] |= {"choice": "the sea"}
    lines[0]["score"] |= {"correct": False}
    with RunFolder.start(run, settings(run)) as folder:
        for record in lines:
            folder.append("mmar", {key: value for key, value in record.items() if key != "crc"})
        folder.finish("done")
    (mmar,) = scored(run, "--task", "mmar")
    assert mmar["differ"] == {"n": 1, "ids": [lines[0]["id"]]}
    assert mmar["strict"]["correct"] == 3
    assert "rescored       1 verdicts differ from the stored ones" in call("score", run, "--task", "mmar").out


def test_without_the_data_the_stored_verdicts_stand_and_that_is_said(run: Path, data: dict[str, Path]) -> None:
    with_data = scored(run, "--task", "mmar")[0]
    shutil.rmtree(data["mmar"])
    without = scored(run, "--task", "mmar")[0]
    assert without["differ"] is None
    assert without["notes"][-1].startswith("these are the stored verdicts: nothing was scored again")
    same = ("n", "strict", "unanswered", "failed", "missing", "dropped_why", "paper", "clips", "chains", "tokens")
    assert {name: with_data[name] for name in same} == {name: without[name] for name in same}
    assert with_data["official"]["raw"] is not None
    assert without["official"] == with_data["official"]


def test_the_data_may_have_moved(run: Path, data: dict[str, Path], tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.move(data["mmsu"], moved)
    assert scored(run, "--task", "mmsu")[0]["differ"] is None
    assert scored(run, "--task", "mmsu", "--data-dir", moved)[0]["differ"] == {"n": 0, "ids": []}


def test_the_data_is_found_where_pull_puts_it(run: Path, data: dict[str, Path], tmp_path: Path) -> None:
    home = tmp_path / "pulled"
    home.mkdir()
    shutil.move(data["mmar"], home / "mmar")
    done = process("score", run, "--task", "mmar", "--json", DTBENCH_DATA=str(home))
    assert json.loads(done.out)[0]["differ"] == {"n": 0, "ids": []}


def test_other_data_is_refused(run: Path, data: dict[str, Path]) -> None:
    file = data["mmar"] / "MMAR-meta.jsonl"
    file.write_text(file.read_text().replace("scene 1", "scene 7"))
    line = call("score", run, "--task", "mmar", "--data-dir", data["mmar"]).refusal()
    assert "this folder has mmar v2-github" in line
    assert "the run used v2-github with other content" in line
    assert scored(run, "--task", "mmar")[0]["differ"] is None


def test_the_script_of_2025_carries_letters_in_the_order_of_the_data(tmp_path: Path, data: dict[str, Path]) -> None:
    def says(sample: Sample, repeat: int) -> str:
        # The empty last answer gets the letter before it, which is right there; read backwards there is none before it.
        number = int(sample.question[-2])
        return "Hm." if number == 5 else sample.choices[number == 4]

    write_run(tmp_path / "run", {"mmsu": data["mmsu"]}, says, backwards=True)
    newer, older = (scored(tmp_path / "run", "--scorer", version)[0] for version in ("2026", "2025"))
    assert (newer["scorer"], older["scorer"]) == ("2026", "2025")
    assert older["official"]["correct"] > newer["official"]["correct"]
    assert older["strict"] == newer["strict"]
    assert older["differ"] == {"n": 0, "ids": []}  # another script's verdicts are no change of the stored ones
    rows = tmp_path / "predictions.jsonl"
    shown = [json.loads(line) for line in _submitted(tmp_path / "run", data["mmsu"])]
    rows.write_text("".join(json.dumps(row) + "\n" for row in shown))
    file = call("score", "--task", "mmsu", "--predictions", rows, "--scorer", "2025", "--json")
    assert json.loads(file.out)["official"]["correct"] == older["official"]["correct"]


def _submitted(run: Path, folder: Path) -> list[str]:
    """The prediction file of a run, in the order of the data."""
    from dtbench.tasks.mmsu import Mmsu

    task = Mmsu()
    records = {record["id"]: record for record in StoredRun.open(run).records("mmsu")}
    lines = []
    for sample in task.load(folder).samples:
        choice = records[sample.id]["extraction"]["choice"]
        letter = "ABCD"[sample.choices.index(choice)] if choice else ""
        lines.append(json.dumps({**sample.item, "response": letter}))
    return lines


def test_another_script_needs_the_data(run: Path, data: dict[str, Path]) -> None:
    shutil.rmtree(data["mmsu"])
    line = call("score", run, "--task", "mmsu", "--scorer", "2025").refusal()
    assert "--scorer 2025: scoring again needs the run's mmsu data" in line


def test_answers_to_rotated_options_are_read_in_the_order_that_was_shown(tmp_path: Path, data: dict[str, Path]) -> None:
    write_run(tmp_path / "run", {"mmau-mini": data["mmau-mini"]}, lambda sample, _: "(B)", form=PromptForm(permute=1))
    items = json.loads((data["mmau-mini"] / "mmau-test-mini.json").read_text())
    rows = tmp_path / "rows.jsonl"
    assert call("score", tmp_path / "run", "--rows", rows, "--json").code == 0
    choices = {row["id"]: row["choice"] for row in map(json.loads, rows.read_text().splitlines())}
    assert choices == {item["id"]: item["choices"][2] for item in items}


def test_rows_hold_every_answer_with_why_there_is_none(run: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    assert call("score", run, "--rows", rows).code == 0
    lines = [json.loads(line) for line in rows.read_text().splitlines()]
    assert [line["task"] for line in lines] == ["mmar"] * 6 + ["mmau-mini"] * 6 + ["mmsu"] * 6
    assert [line["row"] for line in lines[:6]] == list(range(6))
    assert [line["correct"] for line in lines[:6]] == [True, False, None, None, True, True]
    assert [line["failed"] for line in lines[:6]] == [None, None, None, "model", None, None]


@pytest.mark.parametrize("name", ["mmar.jsonl", "run.json"])
def test_rows_never_overwrite_the_run(run: Path, name: str) -> None:
    before = contents(run)
    assert "this file is also an input" in call("score", run, "--rows", run / name).refusal()
    assert contents(run) == before


def test_the_summary_is_rewritten_only_where_that_is_asked_for(run: Path) -> None:
    summary = run / "summary.json"
    (mmsu,) = scored(run, "--task", "mmsu")
    before = {"run": "as it was", "status": "done", "tasks": [{**mmsu, "n": 0}], "notes": []}
    summary.write_text(json.dumps(before))
    call("score", run)
    assert json.loads(summary.read_text()) == before
    assert call("score", run, "--task", "mmar", "--write").code == 0
    written = json.loads(summary.read_text())
    assert [(one["task"], one["n"]) for one in written["tasks"]] == [("mmar", 6), ("mmsu", 0)]
    assert written["run"] == "as it was"


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"tasks": 3}', '{"tasks": [{}]}', '{"tasks": {}}'])
def test_a_summary_that_is_lost_or_broken_is_made_again(run: Path, content: str | None) -> None:
    if content is not None:
        (run / "summary.json").write_text(content)
    assert call("score", run, "--write").code == 0
    assert len(json.loads((run / "summary.json").read_text())["tasks"]) == 3


def test_a_run_that_is_going_on_keeps_its_summary(run: Path) -> None:
    with RunFolder.start(run, settings(run)):
        assert "a run is writing there already" in call("score", run, "--write").refusal()
        assert len(scored(run)) == 3


def test_a_run_without_answers_prints_none_and_no_share(tmp_path: Path, data: dict[str, Path]) -> None:
    write_run(tmp_path / "run", data, lambda sample, repeat: None)
    out = call("score", tmp_path / "run").out
    assert "%" not in out.replace("in %", "").replace("95 %", "")
    assert "official       none" in out
    assert "strict         none" in out
    assert {one["strict"]["accuracy"] for one in scored(tmp_path / "run")} == {None}


def test_the_tables_are_readable_at_80_columns(tmp_path: Path, data: dict[str, Path]) -> None:
    write_run(tmp_path / "run", data, by_turns, repeats=2)
    out = process("score", tmp_path / "run", COLUMNS="80").out
    tables = [line for line in out.splitlines() if line.startswith((" ", "in %", "official ", "strict "))]
    heads = [line.split() for line in out.splitlines() if line.lstrip().startswith(("official  ", "strict  "))]
    assert heads
    assert max(len(line) for line in tables if ":" not in line and "(" not in line) <= 80
    assert "…" not in out
    assert "majority@2" in out
    assert "official     " in out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["{home}/gone"], "gone: not a run folder: there is no such folder."),
        (["{home}/data"], "not a run folder: there is no run.json in it."),
        (["{home}/run/run.json"], "not a run folder: this is a file."),
        (["{home}/run", "--task", "birds"], "--task birds: not in"),
        (["{home}/run", "--predictions", "p.json"], "--predictions p.json: this option is for prediction files"),
        (["{home}/run", "--metadata", "m.json"], "--metadata m.json: this option is for prediction files"),
        (["{home}/run", "--scorer", "2024"], "--scorer 2024: the versions of mmar's script are official"),
        (["{home}/run", "--data-dir", "{home}/gone"], "--data-dir"),
        (
            ["--task", "mmar", "--predictions", "p.json", "--write"],
            "--write: this option needs a run folder, not --predictions.",
        ),
        (
            ["--task", "mmar", "--predictions", "p.json", "--data-dir", "d"],
            "--data-dir d: this option needs a run folder",
        ),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_a_wrong_option_is_one_clear_line(run: Path, arguments: list[str], complaint: str) -> None:
    assert complaint in call("score", *(word.format(home=run.parent) for word in arguments)).refusal()


def test_a_task_of_ones_own_is_named_by_its_file(run: Path) -> None:
    info = json.loads((run / "run.json").read_text())
    info["tasks"] = {"birds": {**info["tasks"]["mmar"]}}
    (run / "run.json").write_text(json.dumps(info))
    (run / "mmar.jsonl").rename(run / "birds.jsonl")
    assert "unknown task 'birds': name the file" in call("score", run).refusal()
    own = Path(__file__).resolve().parents[2] / "support" / "own_task.py"
    (birds,) = scored(run, "--task-file", own)
    assert (birds["task"], birds["n"], birds["strict"]["correct"]) == ("birds", 6, 3)


def test_what_a_crash_cut_short_is_missing_and_told(run: Path) -> None:
    file = run / "mmar.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    (mmar,) = scored(run, "--task", "mmar")
    assert (mmar["missing"], mmar["dropped_why"]["not asked yet"]) == (1, 1)
    assert "1 records were truncated by a crash; their questions count as unanswered" in mmar["notes"]


def test_a_stored_summary_is_the_one_that_scoring_again_gives(tmp_path: Path, data: dict[str, Path]) -> None:
    from dtbench.harness.score.summary import summarise
    from dtbench.tasks.mmar import Mmar

    write_run(tmp_path / "run", {"mmar": data["mmar"]}, by_turns, repeats=3)
    stored = summarise(Mmar(), StoredRun.open(tmp_path / "run").records("mmar"), expected=18, samples_k=3)
    (again,) = scored(tmp_path / "run")
    assert {name: again[name] for name in stored} == stored


BIRD = """
from pathlib import Path
from dtbench import Official, Sample, Score, Task

class Birds(Task):
    name = "birds"

    def samples(self, data_dir):
        return [Sample("1", "Which bird calls?", ("Jay",), "Jay", data_dir / "1.wav")]
"""
OWN_SCORE = """
    def score(self, sample, extraction):
        return Score(Official(extraction.choice == sample.answer, True), extraction.choice == sample.answer)
"""


def test_a_stored_answer_to_a_question_that_cannot_be_scored_is_no_figure(tmp_path: Path) -> None:
    task = tmp_path / "birds.py"
    task.write_text(BIRD + OWN_SCORE)
    arguments = ("--task-file", task, "--data-dir", tmp_path)
    assert call("run", "--model", "first", *arguments, "--out", tmp_path / "run").code == 0
    task.write_text(BIRD)
    line = call("score", tmp_path / "run", *arguments).refusal()
    assert "birds: the question '1' cannot be scored: its options are ['Jay'], and two or more different " in line
    assert line.endswith("ones are expected. Correct it and run again, or run again without it (--ids).")
