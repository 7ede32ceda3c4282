"""Mistakes of a newcomer, command by command: each ends in one line that says what, the value and what to do."""

from __future__ import annotations

import functools
import json
import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import call
from made_up_run import number_of, write_run
from runs import mmar_data
from training_rows import made_rows, rows_file, without_chain

from dtbench.harness.core.environment import VARIABLES, misspelt_variables
from dtbench.harness.core.schema import Sample
from dtbench.training.data.rows import write_rows

ROOT = Path(__file__).parents[2]
EMPTY = "it is empty, and a path is expected; is a variable of your shell not set?"
A_FILE = "this is a file; name a folder, which is made where there is none."
IN_A_FILE = "afile is a file, so nothing can be in it; name another folder."
NO_FILE = "there is no such file."
FOLDER = "this is a folder; name a file"
NO_WEIGHTS = "no weights are in it: *.safetensors is expected beside config.json, found config.json."
ASK = "--model random --tasks mini --limit 1"
SERVED = "run --tasks mini --model x --base-url"
KEY = "--backend openai: its key is missing: set OPENAI_API_KEY, or name your own endpoint with --base-url."

MISTAKES = {
    # names
    "run --model randm --tasks mini": "Did you mean random? `dtbench models` lists all families; random, first,",
    "run --model random --tasks minni": "mini or mini-hop or mmau-mini? `dtbench tasks` lists all. A file of your own",
    "run --model random --tasks ''": "--tasks '': no task is named.",
    "run --model weights.safetensors --tasks mini": "this is a file; name the folder of the checkpoint.",
    # a path that a variable of the shell should have given
    "score ''": f"[RUN]: {EMPTY}",
    "compare '' right": f"BASELINE RUN...: {EMPTY}",
    f"run {ASK} --out ''": f"--out: {EMPTY}",
    f"run {ASK} --data-dir=": f"--data-dir: {EMPTY}",
    # what is to be read
    f"run {ASK} --ids nope": f"--ids nope: {NO_FILE}",
    f"run {ASK} --ids empty": f"--ids empty: {FOLDER}.",
    f"run {ASK} --ids ids.txt": "--ids: 1 of 1 ids are not in mini (first: 'zz'). Ids look like '7731a0dcaad0'.",
    f"run {ASK} --paraphrase nope": f"--paraphrase nope: {NO_FILE}",
    f"run {ASK} --paraphrase asked.jsonl": "1 of its 1 ids are not in mini (first: 'zz'): take them out,",
    f"run {ASK} --prompt 'Answer {{question}}'": "there is no such file; write the prompt into one, and name that.",
    f"run {ASK} --system empty": "--system empty: this is a folder; a text or a file is expected.",
    "judge right --base-url localhost:1 --judge-prompt nope": f"--judge-prompt nope: {NO_FILE}",
    "export --format arc --check empty": f"--check empty: {FOLDER}.",
    "score": "score: name a run's folder, or --task TASK --predictions FILE.",
    "score asked.jsonl": "this is a file. Predictions are scored by --task TASK --predictions asked.jsonl.",
    "score right/mmar.jsonl": "right/mmar.jsonl: not a run folder: this is a file. Name the run's folder, right.",
    "extract nothing.jsonl": "nothing.jsonl: no line is in it; JSON lines with `choices` and `output` are expected.",
    "board --runs afile": "--runs afile: this is a file; name a folder.",
    "watch afile": "afile: this is a file. Name the --out of a run, a judge, `cot` or a training.",
    "data convert avqa afile --out r.jsonl": "afile: this is a file; name a folder.",
    "mine empty --model random --out m": "empty: this folder was not saved by datasets; training data is JSON lines",
    "mine rows.jsonl --model random --out m --data-dir nope": "--data-dir nope: there is no such folder.",
    "cot drafts.jsonl --base-url localhost:1 --out c --data-dir nope": "--data-dir nope: there is no such folder.",
    **{
        f"{command} --task-file nope.toml": f"--task-file nope.toml: {NO_FILE}"
        for command in (
            *("score right", "report right", "table right", "plot right", "view right", "data verify mmar"),
            *("export right --format predictions", "judge right --base-url localhost:1", "faithful right"),
        )
    },
    # where to write
    f"run {ASK} --out afile/x": f"--out afile/x: {IN_A_FILE}",
    "report right --out afile/r.html": f"--out afile/r.html: {IN_A_FILE}",
    "gate --baseline right --candidate wrong --junit nope/g.xml": "the folder nope does not exist; create it, or name",
    "gate --baseline right --candidate wrong --markdown empty": f"--markdown empty: {FOLDER}, such as empty/gate.md.",
    "subset right wrong close --size 3 --out empty": f"--out empty: {FOLDER}, such as empty/ids.txt.",
    "score right --rows empty": f"--rows empty: {FOLDER}.",
    "extract asked.jsonl --out nope/x": "--out nope/x: the folder nope does not exist; create it, or name another.",
    "table right --out empty": "--out empty: the extension sets the format, and there is none; it can be .md,",
    **{
        f"export right --format {name} --out afile": f"--out afile: {A_FILE}"
        for name in ("predictions", "lm-eval", "parquet", "hub-eval", "eee", "inspect")
    },
    "export right --format predictions --out afile/x.jsonl": f"--out afile/x.jsonl: {IN_A_FILE}",
    "data load mini --to mini.csv": "--to mini.csv: a data set is a folder; training rows are also a file that ends in",
    "train mini --out afile --dry-run": f"--out afile: {A_FILE}",
    "train mini --out right --dry-run": "--out right: no training, and not empty (",
    "cot drafts.jsonl --base-url localhost:1 --out right": "`dtbench run` made this folder; name another --out.",
    "mine rows.jsonl --model random --out afile": f"--out afile: {A_FILE}",
    # numbers
    "data load mini --to x --limit 0": "--limit 0: at least 1 is expected.",
    "data load rows.jsonl --to x --limit -1": "--limit -1: at least 1 is expected.",
    "compare right wrong --flips -1": "--flips -1: at least 0 is expected.",
    f"run {ASK} --seed 99999999999999999999": "--seed 99999999999999999999: a whole number of at most 64 bits is",
    "train mini --out t --seed -1": "--seed -1: 0 to 4.29497e+09 is expected.",
    f"run {ASK} --rpm 0": "--rpm 0: above 0 is expected.",
    "score right -j 0": "-j 0: at least 1 is expected.",
    "export right --format predictions --sample 4": "the run has one answer per question, number 0; leave --sample",
    "table right --label a --label b": "--label b: there is no run for it; 1 run is named.",
    "table right --score rubric": "--score rubric: no judge has scored right, nor another of the runs:",
    # endpoints and checkpoints
    f"{SERVED} ''": "--base-url '': a URL is expected, such as http://127.0.0.1:8000/v1.",
    f"{SERVED} me:secret@host": "--base-url host: a URL is expected",
    f"{SERVED} htp://host": "--base-url 'htp://host': not the URL of an endpoint; http://127.0.0.1:8000/v1, for",
    f"{SERVED} http://host:99999": "for example, is expected (a port is 1 to 65535).",
    "judge right --base-url ws://host": "--base-url 'ws://host': not the URL of an endpoint;",
    "run --model config-alone --backend local --tasks mini --out x": f"--model config-alone: {NO_WEIGHTS}",
    "run --model no-model --backend local --tasks mini --out x": "its config.json names no model: model_type is",
}
"""Command line -> what its one line has in it."""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with runs and files of all kinds, in which we are."""
    folder, before = tmp_path_factory.mktemp("mistakes"), Path.cwd()
    os.chdir(folder)
    mmar_data(Path("data"), 8)
    for name, wrong in (("right", 0), ("wrong", 8), ("close", 2)):
        write_run(Path(name), {"mmar": Path("data")}, functools.partial(answer, wrong))
    rows_file(Path(), 2)
    write_rows(Path("drafts.jsonl"), [without_chain(row) for row in made_rows(Path(), 2)])
    Path("empty").mkdir()
    texts = {"afile": "words\n", "ids.txt": "zz\n", "nothing.jsonl": "\n", "weights.safetensors": ""}
    for path, text in {**texts, "asked.jsonl": '{"id": "zz", "question": "Who?"}\n'}.items():
        Path(path).write_text(text)
    for name, config in (("config-alone", {"model_type": "llama"}), ("no-model", [1])):
        Path(name).mkdir()
        (Path(name) / "config.json").write_text(json.dumps(config))
    (Path("no-model") / "model.safetensors").write_text("")
    try:
        yield folder
    finally:
        os.chdir(before)
        shutil.rmtree(folder)


def answer(wrong: int, sample: Sample, repeat: int) -> str:
    return sample.choices[number_of(sample) < wrong]


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_ends_in_one_line_that_says_what_to_do(ground: Path, line: str) -> None:
    done = call(*shlex.split(line))
    assert done.code == 2, done
    (said,) = [one for one in done.err.splitlines() if one.startswith("error: ")]
    assert MISTAKES[line] in said
    assert "secret" not in done.err
    assert "What to type next" not in done.err


def test_what_writes_nothing_leaves_nothing(ground: Path) -> None:
    made = {path.name for path in ground.iterdir()}
    assert made.isdisjoint({"m", "c", "t", "nope", "mini.csv", "r.jsonl"})
    assert (ground / "afile").read_text() == "words\n"
    assert not any((ground / "empty").iterdir())


def test_rows_that_are_all_rejected_lead_to_no_next_step(ground: Path) -> None:
    done = call("mine", "rows.jsonl", "--model", "first", "--samples", "2", "--band", "1-1", "--out", "none-kept")
    assert done.code == 0
    assert "note: no row was kept: another --band, more --samples or another model keeps some" in done.err
    assert done.next == []


def test_a_key_that_is_missing_is_named(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai", reason="openai, of the extra openai, is not installed")
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "DTBENCH_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    done = call("run", "--model", "gpt-x", "--backend", "openai", "--tasks", "mini", "--limit", "1", "--out", "x")
    assert done.refusal() == f"error: {KEY}"


@pytest.mark.parametrize(
    ("name", "near"),
    [("DTBENCH_DTA", "DTBENCH_DATA"), ("DTBENCH_API_KY", "DTBENCH_API_KEY"), ("dtbench_engine", "DTBENCH_ENGINE")],
)
def test_a_variable_that_is_nearly_one_of_ours_is_noted(
    ground: Path, monkeypatch: pytest.MonkeyPatch, name: str, near: str
) -> None:
    monkeypatch.delenv(near, raising=False)
    monkeypatch.setenv(name, "x")
    said = f"the variable {name} of the environment is not read. Did you mean {near}?"
    assert call("tasks", "mini").err == f"note: {said}\n"
    assert misspelt_variables({name: "x", near: "y", "DTBENCH_IMAGE": "z", "DTBENCH_EVALUATOR": "w"}) == []


def test_the_variables_that_are_known_are_those_of_the_page() -> None:
    page = (ROOT / "docs" / "reference" / "environment.md").read_text(encoding="utf-8")
    table = page.partition("## dtbench\n")[2].partition("\n\n`DTBENCH_")[0].partition("\n## ")[0]
    assert [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")] == list(VARIABLES)
