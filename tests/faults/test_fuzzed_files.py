"""Files that were edited after dtbench wrote them: every command says in one line what is wrong, or reads them.

A change in run.json, a record, summary.json, a prediction file or what a judge stored, one at a time, and then every
command that reads it. No command may end with a traceback, with 1 (which is a regression that a gate found), or leave
out a run without a word.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from campaign import CAMPAIGN
from command import Done, call
from exports import says
from judges import with_criteria
from made_up_run import write_run
from odd_values import change_json, change_line, changed_somewhere, damaged_bytes
from small_data import mmar_items

import dtbench

WHOLE = os.environ.get("DTBENCH_WHOLE") == "1"
SEED = int(os.environ.get("DTBENCH_SEED", "22"))
QUESTIONS = 48
Blow = Callable[[Path, random.Random], str]
"""Changes something in a run folder; what was done."""

COMMANDS: dict[str, tuple[str, ...]] = {
    "score": ("score", "{run}"),
    "score --json": ("score", "{run}", "--json", "--rows", "{out}.jsonl"),
    "score --tables": ("score", "{run}", "--tables"),
    "score --write": ("score", "{run}", "--write"),
    "report": ("report", "{run}", "--out", "{out}.html"),
    "report of two": ("report", "{base}", "{run}", "--out", "{out}.html"),
    "compare": ("compare", "{base}", "{run}"),
    "compare --json": ("compare", "{run}", "{base}", "--json"),
    "gate": ("gate", "--baseline", "{base}", "--candidate", "{run}", "--max-drop", "100"),
    "gate against it": ("gate", "--baseline", "{run}", "--candidate", "{base}", "--max-drop", "100"),
    "board": ("board", "--task", "mmar", "--runs", "{folder}"),
    "board --csv": ("board", "--task", "mmar", "--runs", "{folder}", "--csv"),
    "export arc": ("export", "{run}", "--format", "arc", "--out", "{out}.zip"),
    "export lm-eval": ("export", "{run}", "--format", "lm-eval", "--out", "{out}"),
    "export parquet": ("export", "{run}", "--format", "parquet", "--out", "{out}"),
    "export hub-eval": ("export", "{run}", "--format", "hub-eval", "--out", "{out}"),
    "export eee": ("export", "{run}", "--format", "eee", "--out", "{out}"),
    "export inspect": ("export", "{run}", "--format", "inspect", "--out", "{out}"),
    "merge": ("merge", "{run}"),
    "table --md": ("table", "{base}", "{run}", "--md"),
    "table --latex": ("table", "{run}", "{base}", "--latex", "--rubric"),
    "plot": ("plot", "{base}", "{run}", "--out", "{out}.svg"),
    "watch": ("watch", "{run}", "--json"),
    "judge": ("judge", "{run}", "--model", "none", "--base-url", "http://127.0.0.1:9/v1", "--estimate"),
    "mine": ("mine", "{run}", "--out", "{out}.jsonl"),
    "run": ("run", "--model", "echo-gold", "--tasks", "mmar", "--data-dir", "{data}", "--out", "{run}"),
}


class Prepared:
    """Two runs over the same questions, and where a changed copy of the second lies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        items = mmar_items(QUESTIONS)
        with_criteria(self.data, items)
        self.whole = folder / "whole"
        write_run(folder / "runs" / "base", {"mmar": self.data}, says)
        write_run(self.whole, {"mmar": self.data}, says, repeats=2)
        for run in (folder / "runs" / "base", self.whole):
            assert call("score", run, "--write").code == 0
        self.run = folder / "runs" / "run"

    def anew(self) -> Path:
        """The run as it was."""
        shutil.rmtree(self.run, ignore_errors=True)
        shutil.copytree(self.whole, self.run)
        return self.run

    def arguments(self, name: str) -> list[str]:
        """The words of a command."""
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        names = {
            "run": self.run,
            "base": self.folder / "runs" / "base",
            "folder": self.folder / "runs",
            "data": self.data,
            "out": self.folder / "out" / "made",
        }
        (self.folder / "out").mkdir()
        return [word.format(**names) for word in COMMANDS[name]]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return Prepared(tmp_path_factory.mktemp("fuzzed"))


def failure_of(name: str, done: Done) -> str | None:
    """What is wrong with how a command ended; None where nothing is."""
    if "Traceback" in done.err or "should not have happened" in done.err:
        return done.err.strip().splitlines()[-1][:300]
    if done.code not in {0, 2, 3, 4}:
        return f"exit code {done.code}"
    errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
    if name == "export --check" and done.code == 2 and not errors:  # it lists what is wrong with the file
        return None if done.out else "exit code 2 without a word"
    if (done.code in {2, 3}) is not (len(errors) == 1):
        return f"exit code {done.code} with {len(errors)} lines of error"
    return None


def change_run_json(run: Path, chance: random.Random) -> str:
    return change_json(run / "run.json", chance)


def change_summary(run: Path, chance: random.Random) -> str:
    return change_json(run / "summary.json", chance)


def change_record(run: Path, chance: random.Random) -> str:
    return change_line(run / "mmar.jsonl", chance)


def change_question(run: Path, chance: random.Random) -> str:
    return change_line(run / "mmar.questions.jsonl", chance)


def damage_a_file(run: Path, chance: random.Random) -> str:
    path = chance.choice(sorted(path for path in run.iterdir() if path.is_file()))
    path.write_bytes(damaged_bytes(path.read_bytes(), chance))
    return f"{path.name} damaged"


BLOWS: dict[str, tuple[Blow, int, int]] = {
    "run.json": (change_run_json, 50, 1350),
    "record": (change_record, 40, 990),
    "question": (change_question, 30, 500),
    "summary.json": (change_summary, 20, 180),
    "bytes of a file": (damage_a_file, 30, 400),
}
"""What is changed, how often in the short form, and how often in the whole one."""


@pytest.mark.parametrize("kind", BLOWS)
def test_a_file_of_a_run_that_was_changed_is_read_or_refused_in_one_line(prepared: Prepared, kind: str) -> None:
    blow, short, whole = BLOWS[kind]
    chance = random.Random(f"{SEED} {kind}")
    tries = whole if WHOLE else short
    failures = []
    for _ in range(tries):
        name = chance.choice(list(COMMANDS))
        what = blow(prepared.anew(), chance)
        done = call(*prepared.arguments(name))
        if (wrong := failure_of(name, done)) is not None:
            failures.append(f"{name}, {what}: {wrong}")
    CAMPAIGN.note(f"fuzzed {kind}", tries, leaked=len(failures))
    assert failures == []


def test_one_odd_run_never_hides_another_on_the_board(prepared: Prepared) -> None:
    chance = random.Random(SEED)
    for _ in range(300 if WHOLE else 25):
        blow = chance.choice([change_run_json, change_summary, damage_a_file])
        what = blow(prepared.anew(), chance)
        done = call(*prepared.arguments("board --csv"))
        assert done.code == 0, (what, done)
        assert str(prepared.folder / "runs" / "base") in done.out, (what, done)


CALLS: dict[str, Callable[[Path, Path], object]] = {
    "samples_df": lambda base, run: dtbench.samples_df(run),
    "flips_df": dtbench.flips_df,
    "chains_df": lambda base, run: dtbench.chains_df(run),
    "summary_df": lambda base, run: dtbench.summary_df([base, run]),
    "load": lambda base, run: (repr(loaded := dtbench.load(run)), loaded._repr_html_(), loaded.summary),
    "compare": lambda base, run: dtbench.compare(base, run)._repr_html_(),
    "table": lambda base, run: dtbench.paper_table([base, run]).to_latex(),
}


@pytest.mark.filterwarnings("ignore::dtbench.DtbenchWarning")
def test_in_python_a_changed_file_is_read_or_raises_an_error_of_dtbench(prepared: Prepared) -> None:
    chance = random.Random(SEED)
    tries, failures = 400 if WHOLE else 35, []
    for _ in range(tries):
        blow, name = chance.choice([blow for blow, *_ in BLOWS.values()]), chance.choice(list(CALLS))
        what = blow(prepared.anew(), chance)
        try:
            CALLS[name](prepared.folder / "runs" / "base", prepared.run)
        except dtbench.DtbenchError as error:
            failures += [f"{name}, {what}: {error}"] if "\n" in str(error) else []
        except Exception as error:  # what must not be
            failures.append(f"{name}, {what}: {type(error).__name__}: {error}")
    CAMPAIGN.note("fuzzed files, from Python", tries, leaked=len(failures))
    assert failures == []


def change_prediction(content: bytes, chance: random.Random) -> bytes:
    """The file with one record changed, or with damaged bytes."""
    if chance.random() < 0.5:
        return damaged_bytes(content, chance)
    records = json.loads(content) if content.startswith(b"[") else [json.loads(line) for line in content.splitlines()]
    number = chance.randrange(len(records))
    records[number] = changed_somewhere({"record": records[number]}, chance).value.get("record")
    if content.startswith(b"["):
        return json.dumps(records).encode()
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


@pytest.mark.parametrize("command", ["score", "export --check"])
def test_a_prediction_file_of_any_content_is_read_or_refused_in_one_line(prepared: Prepared, command: str) -> None:
    chance = random.Random(f"{SEED} {command}")
    prepared.anew()
    file = prepared.folder / "predictions-of-mmar.jsonl"
    assert call("export", prepared.whole, "--format", "mmar", "--out", file).code == 0
    content, failures = file.read_bytes(), []
    tries = 720 if WHOLE else 60
    changed = prepared.folder / "changed.jsonl"
    for number in range(tries):
        changed.write_bytes(change_prediction(content, chance))
        if command == "score":
            done = call("score", changed, "--task", "mmar", "--data-dir", prepared.data)
        else:
            done = call("export", "--check", changed, "--format", "mmar", "--data-dir", prepared.data)
        if (wrong := failure_of(command, done)) is not None:
            failures.append(f"{number}: {wrong}")
    CAMPAIGN.note(f"fuzzed predictions, {command}", tries, leaked=len(failures))
    assert failures == []
