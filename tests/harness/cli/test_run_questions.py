"""A run folder has its own questions: what reads a run needs the data set no more."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import small_data
from command import Done, call
from small_data import write_json

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
