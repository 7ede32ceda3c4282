"""`dtbench run` with models that need no weights: what is asked, what is stored, what is printed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command import Done, call, process
from runs import assert_each_once, lines_of, mmar_data, records, status, summary, write_script
from small_data import Item, mmau_items, mmsu_items, write_json


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with twelve questions of MMAR and six of MMSU."""
    mmar_data(tmp_path / "data", 12)
    write_json(tmp_path / "data" / "mmsu.jsonl", mmsu_items(6))
    return tmp_path / "data"


def ids(data: Path) -> list[str]:
    return [item["id"] for item in items(data)]


def items(data: Path) -> list[Item]:
    return [json.loads(line) for line in (data / "MMAR-meta.jsonl").read_text().splitlines()]


def run(data: Path, out: Path, *arguments: str | Path, model: str = "first", tasks: str = "mmar") -> Done:
    """A run that is expected to end well."""
    done = call("run", "--model", model, "--tasks", tasks, "--data-dir", data, "--out", out, *arguments)
    assert done.code == 0, done
    return done


def as_json(data: Path, out: Path, *arguments: str | Path, model: str = "first") -> dict[str, Any]:
    """What `--json` says of the one task."""
    done = run(data, out, "--json", *arguments, model=model)
    assert done.err == ""
    (told,) = json.loads(done.out)["tasks"]
    return dict(told)


def choices(out: Path) -> dict[tuple[str, int], str | None]:
    return {(record["id"], record["sample"]): record["extraction"]["choice"] for record in records(out)}


def test_the_right_answers_score_100_percent_on_every_task(data: Path, tmp_path: Path) -> None:
    done = run(data, tmp_path / "out", model="echo-gold", tasks="mmar,mmsu")
    assert done.out.count("official       100.00%") == 2
    assert done.out.count("strict         100.00%") == 2
    assert done.out.splitlines()[-1] == f"run {tmp_path / 'out'} (done)"
    assert_each_once(tmp_path / "out", ids(data))
    assert_each_once(tmp_path / "out", (item["id"] for item in mmsu_items(6)), task="mmsu")


def test_majority_counts_each_task_for_itself(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = [item | {"choices": ["a", "b"], "answer": "a"} for item in mmar_data(data, 5)]
    second = [item | {"choice_a": "a", "choice_b": "b", "answer_gt": "b"} for item in mmsu_items(3)]
    write_json(data / "MMAR-meta.jsonl", first)
    write_json(data / "mmsu.jsonl", second)
    done = run(data, tmp_path / "out", model="majority", tasks="mmar,mmsu")
    assert done.out.count("strict         100.00%") == 2
    told = json.loads((tmp_path / "out" / "run.json").read_text())
    assert told["model"] == {"name": "majority", "oracle": True}
    assert [told["tasks"][name]["model"] for name in ("mmar", "mmsu")] == [{"right": {"A": 5}}, {"right": {"B": 3}}]
    run(data, tmp_path / "out", model="majority", tasks="mmar,mmsu")


def test_a_record_says_all_that_a_score_and_a_report_need(data: Path, tmp_path: Path) -> None:
    answer = "<think>A bird.</think> (B)"
    write_script(tmp_path / "script.jsonl", [{"text": answer, "finish_reason": "length"}])
    run(data, tmp_path / "out", "-M", f"script={tmp_path / 'script.jsonl'}", "--limit", "1", model="scripted")
    (record,) = records(tmp_path / "out")
    (first, *_) = items(data)
    keys = ["id", "sample", "prompt_hash", "question_hash", "audio", "groups", "response", "extraction", "score"]
    assert list(record) == keys
    assert (record["id"], record["sample"], record["audio"]) == (first["id"], 0, None)
    assert record["response"] == {
        "text": answer,
        "finish_reason": "length",
        "usage": {},
        "seconds": 0.0,
        "attempts": 1,
    }
    assert record["extraction"]["choice"] == first["choices"][1]
    wrong = {"correct": False, "counted": True, "why": ""}
    by_words_of_the_chain = {**wrong, "correct": True}
    assert record["score"] == {"official": wrong, "correct": False, "raw": by_words_of_the_chain}
    assert record["groups"]["modality"] == first["modality"]


def test_run_json_says_what_was_asked_and_of_whom(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path / "out", "--seed", "5", "-M", "seed=3", model="random")
    told = json.loads((tmp_path / "out" / "run.json").read_text())
    task = told["tasks"]["mmar"]
    assert told["model"] == {"name": "random", "oracle": False, "seed": 3}
    assert (task["questions"], task["samples"], task["seed"], task["audio"]) == (12, 1, 5, "clip")
    assert "{question}" in task["prompt"]
    assert task["data"]["source"] == str(data / "MMAR-meta.jsonl")
    assert told["starts"][0]["command"][1] == "run"
    assert told["status"] == "done"


def test_a_finished_run_asks_nothing_again_and_prints_the_same(data: Path, tmp_path: Path) -> None:
    first, second = run(data, tmp_path / "out"), run(data, tmp_path / "out")
    assert first.out == second.out
    assert "mmar: 12 of 12 answers are there already" in second.err
    assert lines_of(tmp_path / "out") == 12


def test_only_the_first_questions_are_asked(data: Path, tmp_path: Path) -> None:
    told = as_json(data, tmp_path / "out", "--limit", "5")
    assert (told["n"], told["missing"]) == (5, 0)
    assert_each_once(tmp_path / "out", ids(data)[:5])


def test_only_the_named_questions_are_asked(data: Path, tmp_path: Path) -> None:
    wanted = [ids(data)[7], ids(data)[2]]
    (tmp_path / "ids").write_text("\n".join([*wanted, "", wanted[0], mmsu_items(6)[0]["id"]]))
    run(data, tmp_path / "out", "--ids", tmp_path / "ids", tasks="mmar,mmsu")
    assert_each_once(tmp_path / "out", wanted)
    assert_each_once(tmp_path / "out", [mmsu_items(6)[0]["id"]], task="mmsu")


def test_repeats_differ_and_are_summed_up(data: Path, tmp_path: Path) -> None:
    told = as_json(data, tmp_path / "out", "--samples", "4", model="random")
    assert_each_once(tmp_path / "out", ids(data), repeats=4)
    said = choices(tmp_path / "out")
    assert any(len({said[id_, repeat] for repeat in range(4)}) > 1 for id_ in ids(data))
    right = {id_: [said[id_, repeat] == item["answer"] for repeat in range(4)] for id_, item in by_id(data).items()}
    passed = told["repeats"]["pass"]
    assert told["strict"]["correct"] == sum(map(sum, right.values()))
    assert passed["1"] == pytest.approx(sum(map(sum, right.values())) / 48)
    assert passed["4"] == pytest.approx(sum(map(any, right.values())) / 12)
    printed = run(data, tmp_path / "out", "--samples", "4", model="random").out
    assert "majority@4" in printed
    assert f"pass@4 {passed['4']:.1%}" in printed


def by_id(data: Path) -> dict[str, Item]:
    return {item["id"]: item for item in items(data)}


def test_equal_seeds_give_equal_answers_and_others_do_not(data: Path, tmp_path: Path) -> None:
    for name, seed, concurrency in (("one", "1", "16"), ("same", "1", "1"), ("other", "2", "16")):
        arguments = ("--seed", seed, "--concurrency", concurrency, "--samples", "2")
        run(data, tmp_path / name, *arguments, model="random")
    assert choices(tmp_path / "one") == choices(tmp_path / "same")
    assert choices(tmp_path / "one") != choices(tmp_path / "other")
    assert summary(tmp_path / "one") == summary(tmp_path / "same")


def test_another_prompt_is_another_run(data: Path, tmp_path: Path) -> None:
    (tmp_path / "prompt").write_text("Listen. {question}\n{options}\nThink first.")
    run(data, tmp_path / "out", "--prompt", tmp_path / "prompt")
    told = json.loads((tmp_path / "out" / "run.json").read_text())["tasks"]["mmar"]
    assert told["prompt"] == "Listen. {question}\n(A) {option 1}\n(B) {option 2}\nThink first."
    assert {record["prompt_hash"] for record in records(tmp_path / "out")} == {told["prompt_hash"]}
    said = call("run", "--model", "first", "--tasks", "mmar", "--data-dir", data, "--out", tmp_path / "out").refusal()
    assert f"{tmp_path / 'out'} was made with another prompt (first difference: 'Listen. {{question}} " in said
    assert "; now '{question} (A) {option 1} " in said
    assert said.endswith("Use another --out, or the same prompt.")


def test_answers_of_a_finished_run_are_replayed(data: Path, tmp_path: Path) -> None:
    first = as_json(data, tmp_path / "out", "--samples", "2", model="random")
    file = f"file={tmp_path / 'out' / 'mmar.jsonl'}"
    again = as_json(data, tmp_path / "again", "--samples", "2", "-M", file, model="replay")
    assert {**first, "seconds": None} == {**again, "seconds": None}


def test_a_task_of_ones_own_runs_from_its_file(tmp_path: Path) -> None:
    birds = [{"id": "1", "question": "Who?", "choices": ["Crow", "Jay"], "answer": "Jay", "clip": "1.wav"}]
    (tmp_path / "birds.json").write_text(json.dumps(birds))
    own_task = Path(__file__).parents[2] / "support" / "own_task.py"
    arguments = ("--task-file", own_task, "--data-dir", tmp_path, "--out", tmp_path / "out")
    done = call("run", "--model", "echo-gold", *arguments)
    assert (done.code, done.said) == (0, "")
    assert "strict         100.00% (1 of all 1" in done.out
    assert_each_once(tmp_path / "out", ["1"], task="birds")


def test_a_run_of_ones_own_task_knows_its_file_which_may_move(tmp_path: Path) -> None:
    birds = [{"id": "1", "question": "Who?", "choices": ["Crow", "Jay"], "answer": "Jay", "clip": "1.wav"}]
    (tmp_path / "birds.json").write_text(json.dumps(birds))
    own_task = tmp_path / "own_task.py"
    shutil.copy(Path(__file__).parents[2] / "support" / "own_task.py", own_task)
    arguments = ("run", "--model", "echo-gold", "--data-dir", tmp_path, "--out", tmp_path / "out")
    assert call(*arguments, "--task-file", own_task).code == 0
    assert "strict         100.00% (1 of all 1" in call("score", tmp_path / "out").out
    moved = own_task.rename(tmp_path / "moved.py")
    assert call(*arguments, "--task-file", moved).code == 0
    assert call("score", tmp_path / "out").code == 0
    moved.unlink()
    assert "name the file that defines it with --task-file" in call("score", tmp_path / "out").refusal()


def test_a_task_whose_answers_are_withheld_runs_and_has_no_accuracy(tmp_path: Path) -> None:
    write_json(tmp_path / "data" / "mmau-test.json", mmau_items(split="test"))
    done = run(tmp_path / "data", tmp_path / "out", tasks="mmau-test")
    assert "%" not in done.out.replace("in %", "")
    assert "the authors withhold the answers, so nothing can be scored here" in done.out
    assert len(records(tmp_path / "out", "mmau-test")) == 6


def test_what_is_known_of_the_data_is_said_first(data: Path, tmp_path: Path) -> None:
    assert "mmar: " in (said := run(data, tmp_path / "out").err)
    assert "audio" in said, "its clips are not there"
    assert run(data, tmp_path / "quiet", "--json").err == ""


def test_without_a_name_the_folder_is_called_after_model_and_tasks(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = call("run", "--model", "first", "--tasks", "mmar,mmsu", "--data-dir", data)
    assert done.out.splitlines()[-1] == "run results/runs/first-mmar-mmsu (done)"
    assert status(tmp_path / "results" / "runs" / "first-mmar-mmsu") == "done"


def test_the_command_is_a_process_that_prints_the_table_of_the_papers(data: Path, tmp_path: Path) -> None:
    asked = ("run", "--model", "first", "--tasks", "mmar", "--data-dir", data)
    done = process(*asked, "--out", tmp_path / "out")
    assert done.code == 0
    assert done.out.replace(str(tmp_path), "") == call(*asked, "--out", tmp_path / "here").out.replace(
        str(tmp_path), ""
    ).replace("/here", "/out")
    assert " official   100.0" in done.out
