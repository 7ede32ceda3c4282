"""`dtbench run --dry-run`: what a run would do is shown, and nothing is started, asked or written."""

from __future__ import annotations

import base64
import json
import shlex
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from chat_server import Chat, chatting, nobody
from command import call
from runs import audible_data, lines_of, mmar_data

MMAR = ("--tasks", "mmar", "--data-dir", "data")


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planned(*arguments: str | Path) -> Mapping[str, Any]:
    """What --dry-run --json says, after it is held to have written nothing."""
    before = {path: path.is_file() and path.read_bytes() for path in Path().rglob("*")}
    done = call("run", *arguments, "--dry-run", "--json")
    assert (done.code, done.err) == (0, ""), done
    assert {path: path.is_file() and path.read_bytes() for path in Path().rglob("*")} == before
    plan: Mapping[str, Any] = json.loads(done.out)
    return plan


def only_body(chat: Chat) -> Mapping[str, Any]:
    """The one request that the endpoint got, with a word in place of the clip."""
    (asked,) = chat.asked
    body: dict[str, Any] = asked.json()
    clip = body["messages"][0]["content"][0]["input_audio"]
    assert base64.b64decode(clip["data"]).startswith(b"RIFF")
    clip["data"] = "clip"
    return body


@pytest.mark.parametrize("style", ["direct", "think", "forced"])
def test_the_request_that_is_shown_is_the_one_that_is_sent(style: str) -> None:
    items = audible_data(Path("data"), 3)
    with chatting() as chat:
        asked = ("--model", chat.url, "-M", "temperature=0.5", *MMAR, "--answer", style, "--out", "out", "--limit", "1")
        prompt = planned(*asked)["prompt"]
        assert chat.asked == []
        assert call("run", *asked).code == 0
        sent = only_body(chat)
    clip = prompt["body"]["messages"][0]["content"][0]["input_audio"]
    assert clip["data"] == f"<base64 of data/{items[0]['audio_path'][2:]} (mono WAV, 16000 Hz)>"
    clip["data"] = "clip"
    assert prompt["body"] == sent
    assert prompt["where"] == f"POST {chat.url}/chat/completions"
    assert (prompt["id"], prompt["text"]) == (items[0]["id"], sent["messages"][0]["content"][1]["text"])


def test_what_is_shown_is_read_by_people_too() -> None:
    items = audible_data(Path("data"), 3)
    with chatting() as chat:
        done = call("run", "--model", chat.url, *MMAR, "--samples", "2", "--out", "out", "--dry-run")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:5] == [
        "model        tiny",
        "mmar         3 questions (data v2-github), 2 answers to each",
        "  clips      3 found, 0 missing",
        "  sampling   max_tokens 2048, all else as the endpoint has it",
        "  expected   no earlier run of this model to tell from",
    ]
    assert [f"             {line}" for line in items[0]["question"].splitlines()] == lines[6:8]
    assert f"goes to      POST {chat.url}/chat/completions" in lines
    assert lines[-2:] == ["folder       out (new)", "nothing was started, nothing was written"]
    assert not Path("out").exists()


def test_questions_are_those_of_limit_and_ids_in_each_task() -> None:
    items = mmar_data(Path("data"), 6)
    Path("ids").write_text("\n".join(item["id"] for item in items[1:5]))
    plan = planned("--model", "first", *MMAR, "--ids", "ids", "--limit", "3", "--samples", "2")
    (task,) = plan["tasks"]
    assert (task["questions"], task["answers"], task["answered"], task["clips"]) == (3, 6, 0, None)
    assert (plan["prompt"]["id"], plan["prompt"]["where"]) == (items[1]["id"], "First in this process")
    assert (plan["run"], plan["why"]) == ("results/runs/first-mmar", "as no --out was given")
    lines = call("run", "--model", "first", *MMAR, "--dry-run").out.splitlines()
    assert lines[-2] == "folder       results/runs/first-mmar (new, as no --out was given)"
    shard = planned("--model", "first", *MMAR, "--shard", "2/4")
    assert (shard["tasks"][0]["questions"], shard["prompt"]["id"]) == (2, items[1]["id"])
    assert planned("--model", "first", *MMAR, "--shard", "7/7")["tasks"][0]["answers"] == 0
    both = planned("--model", "first", "--tasks", "mmar,mini", "--data-dir", "data", "--limit", "2")
    assert [(task["task"], task["questions"]) for task in both["tasks"]] == [("mmar", 2), ("mini", 2)]


def test_clips_are_looked_for_and_none_is_read() -> None:
    items = audible_data(Path("data"), 5)
    for item in items[1:3]:
        (Path("data") / item["audio_path"]).unlink()
    (Path("data") / items[4]["audio_path"]).write_bytes(b"no sound")
    with chatting() as chat:
        asked = ("--model", chat.url, *MMAR, "--out", "out")
        (task,) = planned(*asked)["tasks"]
        first = f"data/{items[1]['audio_path'][2:]}"
        assert task["clips"] == {"found": 3, "missing": 2, "unchecked": 0, "first_missing": first}
        assert f"  clips      3 found, 2 missing (first: {first})" in call("run", *asked, "--dry-run").out
        (task,) = planned("--model", chat.url, "--tasks", "mini", "--data-dir", "made", "--limit", "4")["tasks"]
    assert task["clips"] == {"found": 4, "missing": 0, "unchecked": 0, "first_missing": None}


def test_an_archive_of_clips_is_found_and_stays_packed() -> None:
    items = audible_data(Path("data"), 2)
    with zipfile.ZipFile("data/mmar-audio.zip", "w") as archive:
        for item in items:
            archive.write(Path("data") / item["audio_path"], item["audio_path"])
    shutil.rmtree("data/audio")
    with chatting() as chat:
        (task,) = planned("--model", chat.url, *MMAR)["tasks"]
        assert task["clips"] == {"found": 2, "missing": 0, "unchecked": 0, "first_missing": None}
        Path("data/audio").mkdir()
        (task,) = planned("--model", chat.url, *MMAR)["tasks"]
    assert (task["clips"]["found"], task["clips"]["missing"]) == (0, 2)


def test_what_is_answered_already_is_counted_and_the_first_prompt_is_one_that_is_left() -> None:
    items = audible_data(Path("data"), 4)
    with chatting() as chat:
        asked = ("--model", chat.url, *MMAR, "--out", "out", "--concurrency", "1")
        assert call("run", *asked).code == 0
        lines = Path("out/mmar.jsonl").read_bytes().splitlines(keepends=True)
        Path("out/mmar.jsonl").write_bytes(b"".join(lines[:3]))
        plan = planned(*asked)
        done = call("run", *asked, "--dry-run").out
    (task,) = plan["tasks"]
    assert (task["answers"], task["answered"], plan["resumes"]) == (4, 3, True)
    assert plan["prompt"]["id"] == items[3]["id"]
    assert "mmar         4 questions (data v2-github); 3 of 4 answers are there\n" in done
    assert "folder       out (the run goes on there)\n" in done
    assert lines_of(Path("out")) == 3


def test_tokens_and_time_are_those_of_the_last_run_of_the_model() -> None:
    audible_data(Path("data"), 12)
    with chatting() as chat:
        asked = ("--model", chat.url, *MMAR)
        assert planned(*asked, "--out", "runs/new")["tasks"][0]["expected"] is None
        assert call("run", *asked, "--limit", "4", "--out", "runs/trial").code == 0
        assert call("run", "--model", "first", *MMAR, "--out", "runs/other").code == 0
        (task,) = planned(*asked, "--out", "runs/new")["tasks"]
        expected = task["expected"]
        assert (expected["answers"], expected["tokens_in"], expected["tokens_out"]) == (12, 84, 36)
        assert (expected["run"], expected["task"]) == ("runs/trial", "mmar")
        shown = call("run", *asked, "--out", "runs/new", "--dry-run").out
        assert "  expected   84 tokens in, 36 tokens out, about 1 s, if it goes as in runs/trial\n" in shown
        mini = ("--model", chat.url, "--tasks", "mini", "--data-dir", "made", "--limit", "2", "--out", "runs/new")
        assert "as in runs/trial on mmar\n" in call("run", *mini, "--dry-run").out
        think = ("--answer", "think", "--limit", "2", "--out", "results/runs/think")
        assert call("run", *asked, *think).code == 0
        (task,) = planned(*asked, "--answer", "think", "--out", "runs/new")["tasks"]
        assert task["expected"]["run"].startswith("results/runs/think")


def test_the_command_of_vllm_is_shown_and_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Path("bin/vllm").absolute()
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\ntouch started\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    audible_data(Path("data"), 2)
    asked = ("--model", "mini", "--backend", "vllm", "-M", "max_model_len=1024", *MMAR, "--out", "out")
    plan = planned(*asked)
    executable, serve, checkpoint, *flags = plan["command"]
    assert (Path(executable).name, serve, Path(checkpoint, "config.json").is_file()) == ("vllm", "serve", True)
    assert flags[flags.index("--max-model-len") + 1] == "1024"
    assert flags[-4:] == ["--host", "127.0.0.1", "--port", "PORT"]
    assert plan["prompt"]["where"].startswith("POST http://127.0.0.1:PORT/v1/chat/completions (vLLM")
    assert plan["prompt"]["body"]["model"] == flags[flags.index("--served-model-name") + 1]
    assert f"command      {shlex.join(plan['command'])}\n" in call("run", *asked, "--dry-run").out
    assert plan["tasks"][0]["sampling"]["temperature"] == plan["prompt"]["body"]["temperature"]
    assert not Path("started").exists()


def test_an_endpoint_that_is_away_is_planned_for_and_ends_as_the_run_would() -> None:
    audible_data(Path("data"), 2)
    asked = ("run", "--model", nobody(), *MMAR, "--out", "out")
    run, dry = call(*asked), call(*asked, "--dry-run")
    assert (run.code, dry.code, dry.err) == (3, 3, run.err)
    assert dry.out.startswith("model        unknown, as its endpoint was not reached\nmmar         2 questions ")
    named = json.loads(call(*asked, "--dry-run", "--json", "-M", "model=large").out)
    assert (named["model"]["model"], named["prompt"]["body"]["model"]) == ("large", "large")
    assert named["away"] in run.err
    assert not Path("out").exists()


def test_a_config_file_is_tried_dry_as_well() -> None:
    mmar_data(Path("data"), 3)
    Path("eval.toml").write_text('model = "first"\ntasks = "mmar"\ndata_dir = "data"\nlimit = 2\n')
    assert planned("--config", "eval.toml")["tasks"][0]["questions"] == 2
    assert call("run", "--config", "eval.toml", "--out", "run").code == 0
    plan = planned("--config", "run", "--out", "again")
    assert (plan["tasks"][0]["questions"], plan["resumes"]) == (2, False)
