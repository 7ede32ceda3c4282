"""Tasks that data sets of the hub carry, by a server on this machine: pinned, then offline, and without code."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from called_birds import calls
from hub_server import Hub, serving_hub
from task_files import BIRDS, task_text

from dtbench.harness.core.errors import DataError
from dtbench.tasks.declared.eval_yaml import read_eval_yaml

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving_hub() as server:
        yield server


def publish(hub: Hub, files: dict[str, bytes], repo: str = "birders/calls") -> None:
    """Put a data set on the server: its main branch is at COMMIT."""
    hub.heads[f"datasets/{repo}"] = COMMIT
    for path, content in files.items():
        hub.files[f"/datasets/{repo}/resolve/{COMMIT}/{path}"] = content


def carried(text: str) -> dict[str, bytes]:
    """A data set with a task, its questions and clips."""
    clips = {str(item["clip"]): data for item, data in zip(BIRDS, calls(len(BIRDS)), strict=True)}
    lines = "".join(f"{json.dumps(item)}\n" for item in BIRDS).encode()
    return {"dtbench.toml": text.encode(), "questions.jsonl": lines, **clips}


TEXT = task_text('files = ["questions.jsonl"]\nclip_files = ["clips/*.wav"]')


def dtbench(folder: Path, endpoint: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command itself, in a process that knows no hub but ours."""
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower() and name != "HF_TOKEN"}
    own = {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "hub"), "DTBENCH_DATA": str(folder / "data")}
    return subprocess.run(
        [sys.executable, "-m", "dtbench.harness.cli.main", *words],
        env=kept | own | {"HF_HUB_DISABLE_TELEMETRY": "1"} | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_data_set_that_carries_its_task_is_run_and_scored_again_without_the_hub(hub: Hub, tmp_path: Path) -> None:
    publish(hub, carried(TEXT))
    name = "hf:birders/calls"
    pulled = dtbench(tmp_path, hub.url, "data", "pull", name, "--json")
    assert pulled.returncode == 0, pulled.stderr
    report = json.loads(pulled.stdout)
    assert (report["task"], report["version"], report["items"]) == ("birds", COMMIT[:7], 3)
    assert sorted(Path(one["file"]).name for one in report["files"]) == [
        "b1.wav",
        "b2.wav",
        "b3.wav",
        "questions.jsonl",
    ]
    verified = dtbench(tmp_path, hub.url, "data", "verify", name)
    assert (verified.returncode, verified.stdout.splitlines()[-1]) == (0, "problems found: none"), verified.stderr
    ran = dtbench(tmp_path, hub.url, "run", "--model", "echo-gold", "--tasks", name, "--out", "run", HF_HUB_OFFLINE="1")
    assert ran.returncode == 0, ran.stderr
    about = json.loads((tmp_path / "run" / "run.json").read_text())["tasks"]["birds"]
    assert about["definition"]["source"] == {
        "files": ["questions.jsonl"],
        "clip_files": ["clips/*.wav"],
        "hub": "birders/calls",
        "revision": COMMIT,
    }
    scored = dtbench(tmp_path, "http://127.0.0.1:1", "score", "run", "--json")
    assert scored.returncode == 0, scored.stderr
    assert json.loads(scored.stdout)[0]["official"]["accuracy"] == 1


@pytest.mark.parametrize(
    ("files", "name", "complaint"),
    [
        ({"README.md": b""}, "hf:birders/calls", "this data set carries no task: neither dtbench.toml nor eval.yaml"),
        (carried(TEXT), "hf:birders/none", "hf:birders/none: the hub does not give dtbench.toml"),
        (carried(TEXT), "hf:birders", "--tasks hf:birders: the name of a data set is expected, hf:ORG/NAME or"),
        (carried("name ="), "hf:birders/calls", "dtbench.toml: not TOML"),
        (
            carried(task_text(rule='"os:system"')),
            "hf:birders/calls",
            "os:system is code, and a task that a data set or",
        ),
    ],
)
def test_a_data_set_without_a_task_that_can_be_used_is_one_line(
    hub: Hub, tmp_path: Path, files: dict[str, bytes], name: str, complaint: str
) -> None:
    publish(hub, files)
    done = dtbench(tmp_path, hub.url, "tasks", name)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert complaint in line


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [b", "hf:birders/calls: eval.yaml: not YAML"),
        ("name: x", "eval.yaml: a list `tasks` is expected, each with a field_spec"),
        ("tasks: [{id: a}]", "eval.yaml: field_spec is missing"),
        ("tasks: [{id: a}, {id: b}]", "eval.yaml: it has several tasks: name one of #a, #b"),
        ("tasks: [{id: a, field_spec: {imput: q}}]", "field_spec: imput: unknown. Did you mean input?"),
        ("tasks: [{id: a, field_spec: {input: 3}}]", "field_spec: input = 3: the name of a field is expected"),
        (
            "tasks: [{id: a, field_spec: {input: q}, scorers: [{name: odd}]}]",
            "scorers: odd: dtbench has no such scorer",
        ),
        ("tasks: [{id: a, field_spec: {input: q}, scorers: 3}]", "scorers: a list is expected, each with a name"),
    ],
)
def test_an_eval_yaml_that_makes_no_task_is_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "eval.yaml").write_text(text)
    with pytest.raises(DataError) as raised:
        read_eval_yaml(tmp_path / "eval.yaml", "birders/calls", None, "hf:birders/calls: eval.yaml")
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)


EVAL = """
name: Bird calls
evaluation_framework: inspect-ai
tasks:
  - id: calls
    config: default
    split: test
    field_spec:
      input: question
      target: answer_index
      choices: options
      audio: clip
      metadata: [continent]
    solvers:
      - name: system_message
        args: {template: You know birds.}
      - name: multiple_choice
    scorers:
      - name: choice
"""


def test_an_eval_yaml_is_read_as_a_task(hub: Hub, tmp_path: Path) -> None:
    publish(hub, {"eval.yaml": EVAL.encode()})
    done = dtbench(tmp_path, hub.url, "tasks", "hf:birders/calls", "--json")
    assert done.returncode == 0, done.stderr
    (facts,) = json.loads(done.stdout)
    assert (facts["name"], facts["title"], facts["source"]) == ("calls", "Bird calls", f"birders/calls@{COMMIT[:7]}")
    assert facts["scorers"] == ["choice"]


def test_a_run_fetches_what_is_not_there_and_asks_the_hub_no_more_for_it(hub: Hub, tmp_path: Path) -> None:
    publish(hub, carried(TEXT))
    words = ("run", "--model", "echo-gold", "--tasks", "hf:birders/calls", "--out", "run")
    ran = dtbench(tmp_path, hub.url, *words)
    assert ran.returncode == 0, ran.stderr
    assert sorted(path.name for path in (tmp_path / "data" / "birds" / "clips").iterdir()) == [
        "b1.wav",
        "b2.wav",
        "b3.wav",
    ]
    hub.asked.clear()
    again = dtbench(tmp_path, hub.url, *words)
    assert again.returncode == 0, again.stderr
    assert {path.rpartition("/")[2] for _, path, _ in hub.asked} <= {"dtbench.toml"}


def test_files_from_elsewhere_are_fetched_and_held_to_their_hashes(hub: Hub, tmp_path: Path) -> None:
    files = carried(TEXT)
    hub.files |= {f"/raw/{path}": content for path, content in files.items()}
    urls = "\n".join(f'"{path}" = "{hub.url}/raw/{path}"' for path in files if path != "dtbench.toml")
    sums = "\n".join(f'"{path}" = "{hashlib.sha256(content).hexdigest()}"' for path, content in files.items())
    text = task_text(f'files = ["questions.jsonl"]\n[source.urls]\n{urls}\n[source.sha256]\n{sums}')
    (tmp_path / "birds.toml").write_text(text)
    pulled = dtbench(tmp_path, hub.url, "data", "pull", "birds.toml")
    assert pulled.returncode == 0, pulled.stderr
    assert dtbench(tmp_path, hub.url, "data", "verify", "birds.toml").returncode == 0
    (tmp_path / "data" / "birds" / "questions.jsonl").unlink()
    hub.files["/raw/questions.jsonl"] += b" "
    broken = dtbench(tmp_path, hub.url, "data", "pull", "birds.toml")
    assert broken.returncode == 3
    assert "the downloaded content is not the pinned one" in broken.stderr


def test_without_the_hub_a_task_that_was_never_read_is_one_line(tmp_path: Path) -> None:
    done = dtbench(tmp_path, "http://127.0.0.1:1", "tasks", "hf:birders/calls", HF_HUB_OFFLINE="1")
    assert done.returncode == 2
    assert "hf:birders/calls: the hub cannot be reached, and dtbench.toml of it is not in its cache" in done.stderr
