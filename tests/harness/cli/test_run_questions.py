"""A run folder has its own questions: what reads a run needs the data set no more."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import small_data
from chat_server import chatting
from command import Done, call
from judges import honest, mmar_with_criteria
from runs import forget_questions, write_script
from small_data import mmar_items, write_json

from dtbench.harness.store.question_types import QuestionRecord
from dtbench.harness.store.run_folder import StoredRun

OWN_TASK = """
import json
from dtbench import Sample, Task


class Birds(Task):
    name = "birds"
    {more}

    def samples(self, data_dir):
        for item in json.loads((data_dir / "birds.json").read_text()):
            choices, groups = tuple(item["choices"]), {{"level": item["level"]}}
            yield Sample(item["id"], item["question"], choices, item["answer"], data_dir / "a.wav", groups)
"""
BIRDS = [
    {
        "id": str(n),
        "question": f"Which bird is bird {n}?",
        "choices": ["Crow", "Jay"],
        "answer": "Jay",
        "level": "high" if n % 2 else "low",
    }
    for n in range(6)
]


LISTENER = """
class Listener:
    rate, limit_seconds, listens = 16000, None, True

    async def generate(self, prompt):
        from dtbench import Response
        return Response(prompt.choices[len(prompt.wav) % 2])

    def describe(self):
        return {"name": "listener"}

    async def aclose(self):
        pass
"""


class Case(NamedTuple):
    layout: str
    """Of small_data; empty for a task of one's own."""
    task: str
    export: str = ""


CASES = (
    Case("mmar_v2_folder", "mmar", "mmar"),
    Case("mmar_v2_archive", "mmar", "mmar-rubrics"),
    Case("mmau_hub_parquet", "mmau-mini", "mmau"),
    Case("mmau_json_folder", "mmau-mini", "mmau"),
    Case("mmsu_parquet", "mmsu", "mmsu"),
    Case("mmsu_question_folder", "mmsu", "mmsu"),
    Case("", "birds"),
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("all_ears.py").write_text(LISTENER)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def own_task(more: str = "") -> None:
    Path("birds.py").write_text(OWN_TASK.format(more=more))
    write_json(Path("data/birds.json"), BIRDS)
    Path("data/a.wav").write_bytes(small_data.tone())


def ask(out: str, task: str, *options: str, model: str = "all_ears:Listener") -> Done:
    tasks = ("--task-file", "birds.py") if task == "birds" else ("--tasks", task)
    return call("run", "--model", model, *tasks, "--data-dir", "data", "--out", out, *options)


def made(case: Case) -> None:
    """Two runs of the same questions."""
    own_task() if not case.layout else getattr(small_data, case.layout)(Path("data"))
    assert ask("a", case.task).code == 0
    assert ask("b", case.task, model="echo-gold").code == 0


def exported(run: str, kind: str, out: str) -> bytes:
    done = call("export", run, "--format", kind, "--out", out)
    assert done.code == 0, done
    return Path(out).read_bytes()


def lm_eval_files(out: str) -> dict[str, bytes]:
    done = call("export", "a", "--format", "lm-eval", "--out", out)
    assert done.code == 0, done
    return {path.name: path.read_bytes() for path in Path(out).rglob("*.json*")}


def scored(*options: str) -> Any:
    done = call("score", "a", "--json", *options)
    assert done.code == 0, done
    return json.loads(done.out)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.layout or case.task)
def test_what_reads_a_run_says_the_same_without_the_data_set(case: Case) -> None:
    made(case)
    before = scored(), lm_eval_files("lm-1"), exported("b", case.export, "e-1") if case.export else b""
    compared = call("compare", "a", "b", "--json").out
    shutil.rmtree("data")
    assert (scored(), lm_eval_files("lm-2"), exported("b", case.export, "e-2") if case.export else b"") == before
    assert before[0][0]["differ"] == {"n": 0, "ids": []}
    assert call("compare", "a", "b", "--json").out == compared
    gated = call("gate", "--baseline", "b", "--candidate", "a", "--json")
    assert [one["differ"] for one in json.loads(gated.out)["reread"]] == [0, 0], gated
    done = call("report", "a", "--clips", "none")
    assert (done.code, done.err) == (0, ""), done


def questions(out: str, task: str = "birds") -> list[QuestionRecord]:
    return list(StoredRun.open(Path(out)).questions(task))


def lines_there(out: str, task: str = "birds") -> list[str]:
    return (Path(out) / f"{task}.questions.jsonl").read_text().splitlines()


def notes_of(out: str) -> str:
    return " ".join(json.loads(call("score", out, "--json").out)[0]["notes"])


def test_a_judge_needs_the_data_no_more() -> None:
    mmar_with_criteria(Path("data"))
    model = write_script(Path("script.jsonl"), [{"text": "<think>Says in scene 1 that a door opens.</think>(A)"}])
    done = call("run", *model, "--tasks", "mmar", "--audio", "silence", "--data-dir", "data", "--out", "a")
    assert done.code == 0, done

    def judged(out: str) -> Any:
        with chatting(choose=honest) as server:
            done = call("judge", "a", "--base-url", server.url, "--calls", "1", "--out", out, "--json")
        assert done.code == 0, done
        return {name: value for name, value in json.loads(done.out).items() if name in {"tasks", "marks", "rubrics"}}

    before = judged("judge-1")
    shutil.rmtree("data")
    assert judged("judge-2") == before


def test_a_run_of_some_questions_is_read_without_the_data_and_not_exported() -> None:
    write_json(Path("data/MMAR-meta.jsonl"), mmar_items())
    assert ask("a", "mmar", "--limit", "3", model="first").code == 0
    before = scored()
    shutil.rmtree("data")
    assert scored() == before
    assert before[0]["differ"] == {"n": 0, "ids": []}
    for kind in ("mmar", "lm-eval"):
        line = call("export", "a", "--format", kind).refusal()
        assert "a/mmar.questions.jsonl holds only the 3 that were asked, and an export needs" in line
        assert line.endswith("name the folder of the data with --data-dir.")


def test_a_run_that_was_made_before_gets_its_questions_when_it_goes_on_or_is_scored() -> None:
    own_task()
    assert ask("a", "birds").code == 0
    whole = questions("a")
    assert [one["place"] for one in whole] == list(range(6))
    for again in (("run",), ("score", "a", "--write")):
        forget_questions("a")
        assert (ask("a", "birds") if again == ("run",) else call(*again)).code == 0
        assert questions("a") == whole
        assert len(lines_there("a")) == 6
    forget_questions("a")
    Path("data").rename("elsewhere")
    assert "the run folder holds no copy of them, as one that an older dtbench made" in notes_of("a")
    assert "differ" in scored("--data-dir", "elsewhere")[0]


def test_a_licence_that_forbids_copying_leaves_ids_and_hashes_alone() -> None:
    own_task("copies_questions = False")
    assert ask("a", "birds").code == 0
    first = questions("a")[0]
    assert first == {
        "id": "0",
        "question_hash": next(iter(StoredRun.open(Path("a")).records("birds")))["question_hash"],
        "place": 0,
        "clips": [{"name": None, "hash": hashlib.sha256(small_data.tone()).hexdigest()[:12]}],
        "question": None,
        "options": [],
        "answer": None,
        "groups": {},
        "not_kept": "licence",
    }
    assert "Crow" not in Path("a/birds.questions.jsonl").read_text()
    assert scored()[0]["differ"] == {"n": 0, "ids": []}
    shutil.rmtree("data")
    why = "the licence of birds lets a run folder hold no copy of them"
    assert why in notes_of("a")
    assert why in call("report", "a", "--clips", "none").err
    shutil.copytree("a", "again")
    assert call("gate", "--baseline", "a", "--candidate", "again").out.count(why) == 2


def test_values_that_json_cannot_hold_need_the_data_as_before() -> None:
    own_task()
    text = Path("birds.py").read_text().replace(", groups)", ', groups, {**item, "day": datetime.date(2026, 1, 1)})')
    Path("birds.py").write_text(f"import datetime\n{text}")
    assert ask("a", "birds", model="echo-gold").code == 0
    assert [(one["not_kept"], one["question"]) for one in questions("a")][:1] == [("values", "Which bird is bird 0?")]
    assert scored()[0]["differ"] == {"n": 0, "ids": []}
    shutil.rmtree("data")
    assert "6 that were asked are not in a/birds.questions.jsonl or hold values that JSON cannot" in notes_of("a")


def test_a_task_that_is_scored_with_more_than_its_questions_needs_its_data() -> None:
    own_task("needs_load = True")
    assert ask("a", "birds").code == 0
    shutil.rmtree("data")
    assert "birds is scored with more than its questions" in notes_of("a")


def test_a_clip_that_could_not_be_read_has_its_hash_once_it_was() -> None:
    own_task()
    clip = Path("data/a.wav").read_bytes()
    Path("data/a.wav").unlink()
    assert ask("a", "birds").code == 3
    assert [one["clips"] for one in questions("a")] == [[{"name": "a.wav", "hash": None}]] * 6
    Path("data/a.wav").write_bytes(clip)
    assert ask("a", "birds").code == 0
    assert [one["clips"][0]["hash"] for one in questions("a")] == [hashlib.sha256(clip).hexdigest()[:12]] * 6
    assert len(lines_there("a")) == 12
    assert ask("a", "birds").code == 0
    assert len(lines_there("a")) == 12


def own_clips() -> list[dict[str, str]]:
    names = [f"audio/clip of {number}.wav" for number in range(6)]
    content = [(Path("data") / name).read_bytes() for name in names]
    return [
        {"name": name, "hash": hashlib.sha256(each).hexdigest()[:12]} for name, each in zip(names, content, strict=True)
    ]


def test_the_clip_of_another_question_is_not_taken_for_its_own() -> None:
    small_data.mmar_v2_folder(Path("data"))
    assert ask("a", "mmar", "--audio", "shuffle").code == 0
    assert [one["clips"][0] for one in questions("a", "mmar")] == own_clips()


def test_a_clip_that_the_model_did_not_hear_has_its_hash_too() -> None:
    small_data.mmar_v2_folder(Path("data"))
    assert ask("a", "mmar", model="random").code == 0
    assert [one["clips"][0] for one in questions("a", "mmar")] == own_clips()
    (Path("data") / own_clips()[2]["name"]).unlink()
    assert ask("b", "mmar", model="random").code == 0
    assert [one["clips"][0]["hash"] is None for one in questions("b", "mmar")] == [n == 2 for n in range(6)]


def test_a_kill_at_any_moment_leaves_a_pair_that_goes_on() -> None:
    own_task()
    assert ask("whole", "birds", "--concurrency", "1").code == 0
    parts = [(Path("whole") / name).read_bytes().splitlines(True) for name in ("birds.questions.jsonl", "birds.jsonl")]
    written = [(place, line) for pair in zip(*parts, strict=True) for place, line in enumerate(pair)]
    total, chance = sum(len(line) for _, line in written), random.Random(7)
    for cut in [0, len(written[0][1]), *chance.sample(range(total), 6)]:
        shutil.rmtree("cut", ignore_errors=True)
        shutil.copytree("whole", "cut")
        left = until(written, cut)
        for name, content in zip(("birds.questions.jsonl", "birds.jsonl"), left, strict=True):
            (Path("cut") / name).write_bytes(content)
        there = {one["id"] for one in questions("cut")}
        assert there >= {one["id"] for one in StoredRun.open(Path("cut")).records("birds")}
        assert ask("cut", "birds").code == 0
        assert questions("cut") == questions("whole")
        assert len(lines_there("cut")) == 6


def until(written: Sequence[tuple[int, bytes]], cut: int) -> list[bytes]:
    """What two files hold after so many bytes of both."""
    files = [b"", b""]
    for place, line in written:
        files[place] += line[: max(0, cut)]
        cut -= len(line)
    return files


def test_each_shard_writes_the_questions_that_it_asks() -> None:
    own_task()
    for number in (1, 2, 3):
        assert ask("a", "birds", "--samples", "2", "--shard", f"{number}/3").code in {0, 4}
    assert ask("whole", "birds").code == 0
    for number in (1, 2, 3):
        lines = Path(f"a/birds.{number}-of-3.questions.jsonl").read_text().splitlines()
        assert [json.loads(line)["place"] for line in lines] == [number - 1, number + 2]
    assert questions("a") == questions("whole")
    shutil.rmtree("data")
    assert scored()[0]["differ"] == {"n": 0, "ids": []}
    assert call("merge", "a").code == 0


def test_a_line_that_was_changed_is_named() -> None:
    own_task()
    assert ask("a", "birds").code == 0
    path = Path("a/birds.questions.jsonl")
    path.write_text(path.read_text().replace("bird 2?", "bird 7?"))
    assert scored()[0]["differ"] == {"n": 0, "ids": []}, "the data set itself is there"
    shutil.rmtree("data")
    line = call("score", "a").refusal()
    assert "a/birds.questions.jsonl, line 3: this is not what dtbench wrote" in line
    assert line.endswith("Remove the line: its question is written again when the run is resumed.")


def test_no_task_may_have_the_name_of_a_file_of_questions() -> None:
    own_task()
    Path("birds.py").write_text(Path("birds.py").read_text().replace('"birds"', '"birds.questions"', 1))
    assert "a name that ends so is a file of questions: give it another name" in ask("a", "birds").refusal()


def test_questions_that_stand_elsewhere_in_grown_data_are_written_again() -> None:
    own_task()
    assert ask("a", "birds").code == 0
    grown = [{**BIRDS[0], "id": f"new {number}"} for number in range(2)]
    write_json(Path("data/birds.json"), [*grown, *BIRDS])
    assert ask("a", "birds").code == 0
    assert [(one["place"], one["id"]) for one in questions("a")] == list(enumerate(["new 0", "new 1", *"012345"]))
    assert ask("whole", "birds").code == 0
    assert questions("whole") == questions("a")


def test_questions_that_were_never_answered_and_changed_since_do_no_harm() -> None:
    own_task()
    assert ask("a", "birds").code == 0
    Path("a/birds.jsonl").unlink()
    write_json(Path("data/birds.json"), [{**bird, "id": f"other {bird['id']}"} for bird in BIRDS[:3]])
    assert ask("a", "birds").code == 0
    assert len(questions("a")) == 9
    before = scored(), lm_eval_files("lm-1")
    shutil.rmtree("data")
    assert (scored(), lm_eval_files("lm-2")) == before


def test_a_run_of_other_settings_in_the_folder_of_one_that_failed_has_its_own_questions_alone() -> None:
    own_task()
    assert ask("a", "birds").code == 0
    Path("a/birds.jsonl").unlink()
    info = json.loads(Path("a/run.json").read_text())
    Path("a/run.json").write_text(json.dumps({**info, "status": "failed"}))
    assert ask("a", "birds", "--limit", "2", model="first").code == 0
    assert [one["id"] for one in questions("a")] == ["0", "1"]
