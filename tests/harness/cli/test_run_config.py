"""`dtbench run --config FILE`: any option in a file, and one line with file and setting for what it cannot be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from chat_server import chatting
from command import call, process
from runs import audible_data, mmar_data, records, write_script

from dtbench.harness.store.run_folder import StoredRun

SETTINGS: Mapping[str, Any] = {
    "model": "random",
    "tasks": ["mmar"],
    "data-dir": "data",
    "out": "out",
    "limit": 4,
    "model_options": {"seed": 5},
}
TOML = """\
model = "random"
tasks = "mmar"
data-dir = "data"
out = "out"
limit = 4

[model_options]
seed = 5
"""

GUESSER = """\
from dtbench import Response


class Guesser:
    listens, rate, limit_seconds = False, 16000, None

    def __init__(self, *, token: str) -> None:
        self.token = token

    async def generate(self, prompt):
        return Response("(A)")

    def describe(self):
        return {"name": "guesser"}

    async def aclose(self):
        pass
"""


@pytest.fixture(autouse=True)
def in_a_folder_with_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    mmar_data(Path("data"), 8)
    return tmp_path


def toml(text: str) -> Path:
    path = Path("eval.toml")
    path.write_text(text)
    return path


def request_of(out: Path | str) -> Mapping[str, Any]:
    return StoredRun.open(Path(out)).info["request"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("eval.toml", TOML),
        ("eval.json", json.dumps(SETTINGS)),
        ("eval.yaml", yaml.safe_dump(dict(SETTINGS))),
        ("eval.yml", yaml.safe_dump({**SETTINGS, "log": None})),
    ],
)
def test_a_run_is_written_down_in_toml_yaml_or_json(name: str, text: str) -> None:
    Path(name).write_text(text)
    done = call("run", "--config", name, "--json")
    assert (done.code, json.loads(done.out)["run"]) == (0, "out")
    info = StoredRun.open(Path("out")).info
    assert (info["model"]["seed"], info["tasks"]["mmar"]["questions"]) == (5, 4)


def test_options_of_the_command_line_take_precedence_and_those_of_the_model_are_put_together() -> None:
    config = toml(TOML + 'extra = "unread"\n')
    other = ("--limit", "2", "--tasks", "mini", "--model", "first", "--out", "other")
    assert call("run", "--config", config, *other).refusal() == (
        "error: eval.toml: model_options.seed = 5: the model first has no option 'seed'. It has none: leave it out."
    )
    config = toml(TOML.replace("seed = 5", "seed = 5"))
    assert call("run", "--config", config, "--limit", "2", "--out", "other", "-M", "seed=6").code == 0
    info = StoredRun.open(Path("other")).info
    assert (info["model"]["seed"], info["tasks"]["mmar"]["questions"]) == (6, 2)
    assert not Path("out").exists()


def test_paths_start_from_the_folder_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "configs"
    folder.mkdir()
    ids = [item["id"] for item in mmar_data(folder / "data", 6)]
    (folder / "ids.txt").write_text(ids[2])
    (folder / "words.txt").write_text("Listen. {question}\n{options}")
    options = write_script(folder / "lines.jsonl", [{"text": "(A)"}])
    assert options[1] == "scripted"
    (folder / "eval.toml").write_text(
        'model = "scripted"\ntasks = "mmar"\ndata_dir = "data"\nids = "ids.txt"\nprompt = "words.txt"\nout = "../run"\n'
        '[model_options]\nscript = "lines.jsonl"\n'
    )
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert call("run", "--config", "../configs/eval.toml").code == 0
    run = tmp_path / "run"
    assert [record["id"] for record in records(run)] == [ids[2]]
    assert StoredRun.open(run).info["tasks"]["mmar"]["prompt"].startswith("Listen. ")
    assert request_of(run)["model_options"] == {"script": str(tmp_path / "elsewhere/../configs/lines.jsonl")}


def test_a_checkpoint_is_sought_beside_the_file_alone(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "weights").mkdir()
    (tmp_path / "configs" / "eval.toml").write_text('model = "weights"\ntasks = "mmar"\ndata_dir = "../data"\n')
    assert "model = weights: there is no such folder beside the file, from which its paths start: write ../weights" in (
        call("run", "--config", "configs/eval.toml").refusal()
    )
    (tmp_path / "configs" / "weights").mkdir()
    refusal = call("run", "--config", "configs/eval.toml").refusal()
    assert refusal.startswith("error: --model configs/weights: not a checkpoint: config.json is expected in it")


def test_variables_of_the_environment_are_put_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUESTIONS", "3")
    monkeypatch.setenv("NOTHING", "")
    config = toml(
        'model = "${MODEL:-random}"\ntasks = ["${TASK:-mmar}"]\ndata_dir = "data"\nlimit = "${QUESTIONS}"\n'
        'out = "${NOTHING:-runs}/$${QUESTIONS}-${QUESTIONS}"\n[model_options]\nseed = "${SEED:-7}"\n'
    )
    assert call("run", "--config", config).code == 0
    info = StoredRun.open(Path("runs/${QUESTIONS}-3")).info
    assert (info["model"]["seed"], info["tasks"]["mmar"]["questions"]) == (7, 3)


def test_words_and_ids_may_stand_in_the_file_itself() -> None:
    ids = [item["id"] for item in mmar_data(Path("data"), 8)][3:5]
    config = toml(
        f'model = "first"\ntasks = "mmar"\ndata_dir = "data"\nids = {json.dumps(ids)}\nout = "out"\n'
        'prompt = """\nListen: {question}\n{options}\n"""\n'
    )
    assert call("run", "--config", config).code == 0
    assert sorted(record["id"] for record in records(Path("out"))) == sorted(ids)
    assert StoredRun.open(Path("out")).info["tasks"]["mmar"]["prompt"].startswith("Listen: {question}\n")


def test_a_key_from_the_environment_reaches_the_endpoint_and_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    audible_data(Path("data"), 2)
    monkeypatch.setenv("MY_PASSWORD", "open-sesame-9")
    with chatting() as chat:
        host = chat.url.removeprefix("http://")
        config = toml(f'model = "http://me:${{MY_PASSWORD}}@{host}"\ntasks = "mmar"\ndata_dir = "data"\nout = "out"\n')
        assert call("run", "--config", config).code == 0
        assert all("authorization" in asked.headers for asked in chat.asked)
        for file in Path("out").iterdir():
            assert b"sesame" not in file.read_bytes(), file
        again = call("run", "--config", "out", "--out", "again").refusal()
        assert again == (
            "error: --config out: --model was masked in run.json, as it may hold a secret: give it again, --model URL."
        )
        assert call("run", "--config", "out", "--out", "again", "--model", chat.url).code == 0


def test_a_secret_of_a_model_is_in_no_file_and_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIDDEN", "sesame")
    Path("guesser.py").write_text(GUESSER)
    monkeypatch.syspath_prepend(str(Path().absolute()))
    config = toml(
        'model = "guesser:Guesser"\ntasks = "mmar"\ndata_dir = "data"\nout = "out"\n[model_options]\n'
        'token = "${HIDDEN}"\n'
    )
    assert call("run", "--config", config, "--dry-run", "--json").code == 0
    assert call("run", "--config", config).code == 0
    assert all(b"sesame" not in file.read_bytes() for file in Path("out").iterdir())
    assert request_of("out")["model_options"] == {"token": "***"}
    assert call("run", "--config", "out", "--out", "again").refusal() == (
        "error: --config out: -M token was masked in run.json, as it may hold a secret: give it again, -M token=VALUE."
    )
    assert call("run", "--config", config, "--out", "again").code == 0
    config = toml(
        'model = "mini"\nbackend = "vllm"\ntasks = "mmar"\ndata_dir = "data"\n[model_options]\napi_key = "${HIDDEN}"'
    )
    monkeypatch.setenv("PATH", f"{fake_vllm()}:/usr/bin:/bin")
    assert call("run", "--config", config).refusal() == (
        "error: eval.toml: model_options.api_key = ${HIDDEN}: dtbench sets this for the server that it starts."
    )
    config = toml(Path("eval.toml").read_text().replace("api_key", "hf_token"))
    for shown in ((), ("--json",)):
        done = call("run", "--config", config, "--dry-run", *shown)
        assert (done.code, "hf" in done.out, "sesame" in done.out + done.err) == (0, True, False)


def fake_vllm() -> Path:
    """A folder with a command of that name, for where vLLM is not installed."""
    command = Path("bin/vllm").absolute()
    command.parent.mkdir()
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    return command.parent


SAID = {
    "limitt = 3": "eval.toml: unknown setting 'limitt'. Did you mean limit? Known: model, base_url, tasks, ",
    "options = 3": "eval.toml: unknown setting 'options'. Did you mean model_options? ",
    '[run]\nmodel = "first"': "eval.toml: unknown setting 'run'. ",
    'limit = "3"': 'eval.toml: limit = "3": a whole number is expected.',
    "limit = 0": "eval.toml: limit = 0: at least 1 is expected.",
    "limit = 1.5": "eval.toml: limit = 1.5: a whole number is expected.",
    'limit = "${WORD}"': "eval.toml: limit = ${WORD}: a whole number is expected.",
    "samples = true": "eval.toml: samples = true: a whole number is expected.",
    "max_failed = 3": "eval.toml: max_failed = 3: 0 to 1 is expected.",
    "ids = [1, 2]": "eval.toml: ids = 1: a text is expected.",
    "tasks = 3": "eval.toml: tasks = 3: a list is expected.",
    'answer = "thnk"': 'eval.toml: answer = "thnk": unknown. Did you mean think? Known: direct, think, forced.',
    'long-clips = "window"': 'eval.toml: long_clips = "window": unknown. Did you mean windows? ',
    'data-dir = "a"\ndata_dir = "b"': "eval.toml: data_dir is there twice: leave one out.",
    'out = ""': "eval.toml: out: it is empty: leave it out, or give it a value.",
    'out = "${EMPTY}"': "eval.toml: out: ${EMPTY} is empty: leave it out, or give it a value.",
    'out = "${GONE}"': "eval.toml: out: the environment has no variable GONE: set it, or write a default, ${GONE:-V",
    'out = "${GONE"': "eval.toml: out: ${GONE names no variable: ${NAME} or ${NAME:-default} is expected; ",
    'out = "${GO-NE}"': "eval.toml: out: ${GO-NE} names no variable: ",
    'model_options = "seed=3"': 'eval.toml: model_options = "seed=3": a table is expected, a line for each option.',
    'model = "random"\ntasks = "mini"\n[model_options]\nsed = 1': (
        "eval.toml: model_options.sed = 1: the model random has no option 'sed'. Did you mean seed? Known: seed."
    ),
    'model = "random"\ntasks = "mini"\n[model_options]\nseed = "one"': (
        "eval.toml: model_options.seed = one: a whole number is expected."
    ),
    'model = "random"\n[model_options]\nseed = 1\ntasks = "mini"': (
        "eval.toml: model_options.tasks: move it out of the table model_options; in TOML, above its head."
    ),
    'api_key = "abc"': "eval.toml: api_key: a secret does not belong in a file: keep it in a variable of the envir",
    '[model_options]\ntoken = "abc"': "eval.toml: model_options.token: a secret does not belong in a file: ",
    '[model_options.extra]\nnote = ["sk-0123456789abcdef"]': "eval.toml: model_options.extra.note: a secret does not ",
    'model = "http://me:sesame@127.0.0.1/v1"': "eval.toml: model: a secret does not belong in a file: ",
    '[model_options]\napi_key = "${KEY:-abc}"': "eval.toml: model_options.api_key: a secret does not belong in a file",
    'tasks = "mini"': "--model is missing: name one, ",
    'model = "first"': "--tasks is missing: name one or more, ",
    "model = ": "eval.toml: not TOML (",
}


@pytest.mark.parametrize("text", SAID)
def test_what_a_config_file_cannot_say_is_one_line_with_file_and_setting(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORD", "sesame")
    monkeypatch.setenv("EMPTY", "")
    refusal = call("run", "--config", toml(text)).refusal()
    assert refusal.startswith(f"error: {SAID[text]}")
    assert "sesame" not in refusal
    assert sorted(path.name for path in Path().iterdir()) == ["data", "eval.toml"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("eval.json", b'{"model": "first", "model": "random"}', "eval.json: model is there twice: leave one out."),
        ("eval.yaml", b"model: first\nmodel: random\n", "eval.yaml: model is there twice: leave one out."),
        ("eval.yaml", b"model: [first\n", "eval.yaml: not YAML (while parsing a flow sequence "),
        ("eval.json", b"[]", "eval.json: settings by name are expected, such as model and tasks, found '[]'."),
        ("eval.json", b"{", "eval.json: not JSON (Expecting property name "),
        ("eval.json", b"\xff", "eval.json: not UTF-8 text (byte 0)."),
        ("eval.ini", b"", "--config eval.ini: a .toml, .yaml or .json file is expected, or the folder of a run."),
    ],
)
def test_a_file_that_cannot_be_read_as_settings_is_one_line(name: str, content: bytes, said: str) -> None:
    Path(name).write_bytes(content)
    assert call("run", "--config", name).refusal().startswith(f"error: {said}")


def test_a_config_file_that_is_not_there_is_one_line() -> None:
    assert process("run", "--config", "gone.toml").refusal() == "error: gone.toml: there is no such file."
    assert call("run", "--config", "gone.yaml").refusal() == "error: gone.yaml: there is no such file."
    refusal = call("run", "--config", "data").refusal()
    assert refusal == "error: data: not a run folder: there is no run.json in it. `dtbench run --out` makes one."
