"""A model that asks to be tried is tried once, with the first question, before any answer is stored."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from command import Done, call
from runs import audible_data, records

from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.types import StartInfo

MODEL = """
from dtbench.harness.core.errors import MachineryError
from dtbench.harness.core.schema import Response


class Tried:
    listens, rate, limit_seconds = True, 16000, None

    def __init__(self, deaf: bool = False) -> None:
        self.deaf, self.tried = deaf, []

    async def preflight(self, prompt, notify):
        self.tried.append(prompt)
        if self.deaf:
            raise MachineryError("the model is deaf.")
        return {"id": prompt.id, "bytes": len(prompt.wav), "times": len(self.tried)}

    async def generate(self, prompt):
        return Response(f"({'A' if self.tried else 'B'})")

    def describe(self):
        return {"name": "tried"}

    async def aclose(self):
        pass
"""


@pytest.fixture(autouse=True)
def _importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tried_model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tried_model", raising=False)


def run(tmp_path: Path, *more: str) -> Done:
    arguments: list[str | Path] = ["--model", "tried_model:Tried", "--tasks", "mmar", "--data-dir", tmp_path / "data"]
    return call("run", *arguments, "--out", tmp_path / "run", *more)


def starts(tmp_path: Path) -> list[StartInfo]:
    return StoredRun.open(tmp_path / "run").info["starts"]


def test_what_was_found_is_kept_with_the_start_and_precedes_every_answer(tmp_path: Path) -> None:
    ids = [item["id"] for item in audible_data(tmp_path / "data", 3)]
    assert run(tmp_path, "--limit", "2").code == 0
    (first,) = starts(tmp_path)
    assert first["preflight"] == {"id": ids[0], "bytes": 44 + 2 * 1600, "times": 1}
    assert [record["response"]["text"] for record in records(tmp_path / "run")] == ["(A)", "(A)"]
    assert run(tmp_path).code == 0
    assert [start["preflight"]["id"] for start in starts(tmp_path)] == [ids[0], ids[2]]


def test_a_run_with_nothing_left_to_ask_tries_nothing(tmp_path: Path) -> None:
    audible_data(tmp_path / "data", 3)
    run(tmp_path)
    assert run(tmp_path).code == 0
    assert ["preflight" in start for start in starts(tmp_path)] == [True, False]


def test_it_is_tried_with_a_clip_that_can_be_read(tmp_path: Path) -> None:
    items = audible_data(tmp_path / "data", 3)
    (tmp_path / "data" / items[0]["audio_path"]).write_bytes(b"no sound")
    run(tmp_path)
    assert starts(tmp_path)[0]["preflight"]["id"] == items[1]["id"]


def test_a_model_that_fails_its_preflight_is_asked_nothing(tmp_path: Path) -> None:
    audible_data(tmp_path / "data", 3)
    done = run(tmp_path, "-M", "deaf=true")
    assert done.code == 3
    assert "the model is deaf." in done.err
    assert not list(records(tmp_path / "run"))
