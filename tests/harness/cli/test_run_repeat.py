"""`dtbench run --config RUN`: run.json has what was asked for, so that the same can be asked for again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from chat_server import chatting
from command import call
from runs import audible_data, mmar_data, records, summary

from dtbench.harness.run.config import OF_THE_CALL, describe_request, read_config, setting_names
from dtbench.harness.run.request import RunRequest
from dtbench.harness.store.run_folder import RunFolder, StoredRun

WORDS = "Listen: {question}\n{options}\nWhich one?"
BIRDS = """\
from pathlib import Path

from dtbench import Sample, Task


class Birds(Task):
    name = "birds"

    def samples(self, data_dir):
        yield Sample("1", "Which bird calls?", ("Crow", "Jay"), answer="Jay", audio=Path("jay.wav"))

    def examples(self, data_dir):
        return [Sample("2", "Which bird was that?", ("Crow", "Wren"), answer="Wren")]
"""
VALUES: Mapping[str, Any] = {
    "model": "./weights",
    "base_url": "127.0.0.1:8000",
    "tasks": ("mmar", "mini"),
    "data_dir": Path("data"),
    "limit": 3,
    "num_fewshot": 2,
    "ids": Path("ids.txt"),
    "samples": 2,
    "concurrency": 5,
    "rpm": 60.5,
    "max_cost": 2.5,
    "max_tokens_in_all": 100000,
    "seed": 7,
    "options": {"temperature": "0.7", "extra": '{"a": [1]}', "chain": "<a>,</a>"},
    "backend": "local",
    "prompt": Path("words.txt"),
    "system": "system.txt",
    "think_budget": (64,),
    "answer": "think",
    "audio": "noise",
    "permute": 1,
    "paraphrase": Path("others.jsonl"),
    "wording": 2,
    "long_clips": "windows",
    "max_failed": 0.25,
    "min_evidence": "stated",
    "track": "single",
    "task_file": Path("birds.py"),
}
"""A value of each option that is not its default."""


@pytest.fixture(autouse=True)
def in_a_folder_with_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("weights").mkdir()
    Path("ids.txt").write_text("a\nb\n")
    Path("words.txt").write_text(WORDS)
    Path("birds.py").write_text(BIRDS)
    Path("system.txt").write_text("You listen.")
    return tmp_path


def as_repeated(name: str, value: Any, folder: Path) -> Any:
    """What a repeated run is asked for in place of a value: files by their content, paths from the root."""
    if name == "ids":
        return ("a", "b")
    if name == "prompt":
        return WORDS
    if name == "system":
        return "You listen."
    if name == "model":
        return str(folder / "weights")
    return folder / value if isinstance(value, Path) else value


def test_every_option_of_a_run_is_repeated_but_its_place() -> None:
    assert sorted([*VALUES, *OF_THE_CALL]) == sorted(setting_names().values())


@pytest.mark.parametrize("name", VALUES)
def test_an_option_comes_back_from_run_json_as_it_was_given(name: str, tmp_path: Path) -> None:
    given = {"model": "first", "tasks": ("mmar",), name: VALUES[name]}
    words = {"paraphrase": VALUES["paraphrase"]} if name == "wording" else {}
    settings = {"kind": "run", "model": {}, "endpoint": {}, "long_clips": "cut", "tasks": {}}
    with RunFolder.start(Path("run"), settings, request=describe_request(RunRequest(**given, **words))):
        pass
    found = {one: as_repeated(one, value, tmp_path) for one, value in words.items()}
    expected = RunRequest(**{**given, **found, name: as_repeated(name, given[name], tmp_path)})
    assert RunRequest(**read_config(Path("run"))) == expected
    assert RunRequest(**read_config(Path("run/run.json"))) == expected
    config = Path("again.json")
    config.write_text(json.dumps(json.loads(Path("run/run.json").read_text())["request"]))
    assert RunRequest(**read_config(config)) == expected


FLAGS: Mapping[str, Sequence[str]] = {
    "model": ("--model", "first"),
    "tasks": ("--tasks", "mmar,mini", "--limit", "3"),
    "limit": ("--limit", "2"),
    "ids": ("--ids", "ids.txt"),
    "samples": ("--samples", "2"),
    "concurrency": ("--concurrency", "3"),
    "rpm": ("--rpm", "600"),
    "seed": ("--seed", "5"),
    "options": ("-M", "seed=7"),
    "prompt": ("--prompt", "words.txt"),
    "system": ("--system", "system.txt"),
    "answer": ("--answer", "think"),
    "audio": ("--audio", "silence"),
    "permute": ("--permute", "1"),
    "paraphrase": ("--paraphrase", "others.jsonl"),
    "wording": ("--paraphrase", "others.jsonl", "--wording", "1"),
    "long_clips": ("--long-clips", "refuse"),
    "max_failed": ("--max-failed", "0.5"),
    "min_evidence": ("--min-evidence", "stated"),
    "task_file": ("--task-file", "birds.py", "--tasks", "birds"),
    "num_fewshot": ("--num-fewshot", "1", "--task-file", "birds.py", "--tasks", "birds"),
}
NEEDS_MORE = {"think_budget", "data_dir", "base_url", "backend", "track", "max_cost", "max_tokens_in_all"}
"""What is in every run below, or needs an endpoint or weights."""


def request_in(folder: Path) -> tuple[Mapping[str, Any], Path]:
    """What the one run in a folder was asked for, and where it lies."""
    (run,) = (path.parent for path in folder.rglob("run.json"))
    return StoredRun.open(run).info["request"], run


@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_is_repeated_from_the_folder_of_a_run_by_the_command_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = audible_data(Path("data"), 4)
    Path("ids.txt").write_text(items[2]["id"])
    others = [{"id": item["id"], "question": f"In other words: {item['question']}"} for item in items]
    Path("others.jsonl").write_text("\n".join(map(json.dumps, others)))
    base = ("--tasks", "mmar") if name not in {"tasks", "task_file", "num_fewshot"} else ()
    model = ("--model", "random") if name != "model" else ()
    assert call("run", *model, *base, "--data-dir", "data", *FLAGS[name], "--out", "run").code == 0
    asked, run = request_in(Path("run").absolute())
    for file in ("ids.txt", "words.txt"):
        Path(file).unlink()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert call("run", "--config", run, "--out", "again").code == 0
    assert request_in(Path("again"))[0] == asked
    usual = describe_request(RunRequest(model="random", tasks=("mmar",)))
    assert [key for key, field in setting_names().items() if field == name and asked[key] != usual.get(key)] != []


def test_each_option_is_repeated_by_one_of_these_tests() -> None:
    assert sorted([*FLAGS, *NEEDS_MORE, *OF_THE_CALL]) == sorted(setting_names().values())


def test_the_endpoint_of_a_run_is_repeated() -> None:
    audible_data(Path("data"), 2)
    with chatting() as chat:
        given = ("--tasks", "mmar", "--data-dir", "data", "--base-url", chat.url, "--model", "tiny")
        assert call("run", *given, "--out", "run").code == 0
        assert call("run", "--config", "run", "--out", "again").code == 0
        assert len(chat.asked) == 4
    assert request_in(Path("run"))[0] == request_in(Path("again"))[0]


def test_a_run_is_repeated_with_the_same_settings_and_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [item["id"] for item in audible_data(Path("data"), 9)]
    Path("ids.txt").write_text("\n".join(ids[1:7]))
    Path("lines.json").write_text(json.dumps([{"id": id_, "answers": ["(A)", "(B)"]} for id_ in ids]))
    given = ("--tasks", "mmar", "--data-dir", "data", "--ids", "ids.txt", "--limit", "5", "--samples", "2")
    more = ("--prompt", "words.txt", "--seed", "4", "--permute", "1", "--max-failed", "0.5")
    options = ("--model", "replay", "-M", "file=lines.json", "-M", "chain=<a>,</a>")
    assert call("run", *options, *given, *more, "--out", "first").code == 0
    run = (tmp_path / "first") if (tmp_path / "first" / "run.json").is_file() else tmp_path / "first" / "permute-1"
    for name in ("ids.txt", "words.txt"):
        Path(name).unlink()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert call("run", "--config", run, "--out", "again").code == 0
    again = Path("again") if Path("again/run.json").is_file() else Path("again/permute-1")
    before, after = (StoredRun.open(one).info for one in (run, again))
    before["tasks"]["mmar"]["data"]["source"] = str(tmp_path / before["tasks"]["mmar"]["data"]["source"])
    assert (before["tasks"], before["model"], before["request"]) == (after["tasks"], after["model"], after["request"])
    assert sorted(map(str, records(again))) == sorted(map(str, records(run)))
    assert summary(again) == summary(run)


def test_a_run_in_its_own_folder_is_resumed(tmp_path: Path) -> None:
    mmar_data(Path("data"), 6)
    assert call("run", "--model", "random", "--tasks", "mmar", "--data-dir", "data", "--out", "run").code == 0
    lines = Path("run/mmar.jsonl").read_bytes().splitlines(keepends=True)
    Path("run/mmar.jsonl").write_bytes(b"".join(lines[:2]))
    assert call("run", "--config", "run", "--out", "run").code == 0
    assert sorted(Path("run/mmar.jsonl").read_bytes().splitlines(keepends=True)) == sorted(lines)
    assert len(StoredRun.open(Path("run")).info["starts"]) == 2


def test_what_a_run_was_asked_for_last_is_what_is_repeated() -> None:
    mmar_data(Path("data"), 6)
    given = ("--model", "random", "--tasks", "mmar", "--data-dir", "data", "--out", "run")
    assert call("run", *given, "--concurrency", "3").code == 0
    assert call("run", *given, "--concurrency", "4").code == 0
    assert StoredRun.open(Path("run")).info["request"]["concurrency"] == 4


def test_a_repeated_run_needs_a_place() -> None:
    mmar_data(Path("data"), 2)
    assert call("run", "--model", "first", "--tasks", "mmar", "--data-dir", "data", "--out", "run").code == 0
    for config in ("run", "run/run.json"):
        assert call("run", "--config", config).refusal() == (
            "error: --out is missing: name a new folder to repeat run in, or run itself to go on with it."
        )


def test_a_run_without_its_request_is_one_line() -> None:
    with RunFolder.start(Path("old"), {"kind": "run", "model": {}, "endpoint": {}, "long_clips": "cut", "tasks": {}}):
        pass
    assert call("run", "--config", "old", "--out", "new").refusal() == (
        "error: old: run.json does not have what was asked for: an older dtbench wrote it."
    )
