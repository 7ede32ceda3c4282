"""How the command starts, ends, and is ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from command import COMMAND, call, process
from runs import PATIENCE

import dtbench
from dtbench.harness.cli.main import COMMANDS

LINE = json.dumps({"choices": ["a bell", "a drum"], "output": "a bell"}) + "\n"
FULL = Path("/dev/full")


def test_the_version_is_printed_on_demand() -> None:
    assert call("--version") == (0, f"dtbench {dtbench.__version__}\n", "")


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_every_command_with_its_summary(flag: str) -> None:
    done = call(flag)
    assert done.code == 0
    for name, command in COMMANDS.items():
        assert name in done.out
        assert command.help.split(",")[0] in done.out


def test_a_former_name_of_a_command_works_and_is_not_listed() -> None:
    former = call("chains", "--help")
    assert former.code == 0
    assert former.out.replace("dtbench chains", "dtbench cot").split() == call("cot", "--help").out.split()
    assert "chains  " not in call("--help").out


@pytest.mark.parametrize(
    "arguments", [["scor"], ["score", "--prediction", "x"], ["score", "--task"], ["tasks", "a", "b"]]
)
def test_a_wrong_call_is_one_line_and_exit_2(arguments: list[str]) -> None:
    done = call(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1


def test_a_mistyped_command_is_answered_with_the_nearest() -> None:
    assert call("scor").refusal().startswith("error: scor: dtbench has no such command. Did you mean score")


def test_interrupted_it_ends_with_130_and_says_nothing(tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text("import time\nprint('waiting', flush=True)\ntime.sleep(3600)\n")
    command = [*COMMAND, "tasks", "--task-file", str(slow)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stderr is not None
        assert running.stderr.readline() == b"waiting\n"  # what a file of a user prints is no output of the command
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, out, err) == (130, b"", b"")


@pytest.mark.parametrize("lines", [1, 5000], ids=["a short answer", "a long answer"])
def test_a_reader_that_has_enough_ends_it_quietly(tmp_path: Path, lines: int) -> None:
    (tmp_path / "in.jsonl").write_text(LINE * lines)
    source, sink = os.pipe()
    os.close(source)
    done = subprocess.run(
        [*COMMAND, "extract", tmp_path / "in.jsonl"], stdout=sink, stderr=subprocess.PIPE, check=False
    )
    os.close(sink)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("arguments", [["tasks"], ["tasks", "--json"], ["--version"], ["--help"]], ids=" ".join)
def test_a_closed_pipe_is_quiet_whatever_was_asked(arguments: list[str]) -> None:
    source, sink = os.pipe()
    os.close(source)
    done = subprocess.run([*COMMAND, *arguments], stdout=sink, stderr=subprocess.PIPE, check=False)
    os.close(sink)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("arguments", [["tasks"], ["tasks", "--json"]], ids=" ".join)
def test_a_full_disk_is_the_machines_failure(arguments: list[str]) -> None:
    with FULL.open("wb") as full:
        done = subprocess.run([*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 3
    assert done.stderr == b"error: the output could not be written (No space left on device)\n"


def test_output_is_written_where_nothing_but_ascii_can_be() -> None:
    done = process("tasks", PYTHONIOENCODING="ascii", COLUMNS="80")
    assert (done.code, done.err) == (0, "")
    assert "versions of the script: 2026, 2025" in done.out


def test_without_any_stdout_it_still_ends_well() -> None:
    done = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *COMMAND, "tasks"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_refusal_is_one_line_whatever_the_value_holds() -> None:
    line = call("score", "--task", "m\x1b[31mm\nar", "--predictions", "p.json").refusal()
    assert line.startswith("error: unknown task 'm\\x1b[31mm\\nar'. ")
    odd = call("score", "--task", "mmar", "--predictions", "gone\n\x1b[31m.json").refusal()
    assert odd == "error: --predictions gone \\x1b[31m.json: there is no such file."


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("tasks", "a", "b"), "b: dtbench tasks takes no further argument. See `dtbench tasks --help`."),
        (("score", "--task"), "--task: a value is missing. See `dtbench score --help`."),
        (("score", "--json=1"), "--json: it takes no value; leave out what follows `=`. See `dtbench score --help`."),
        (("cot",), "DATA is missing: file of drafts: training rows that lack a question or reasoning."),
        (("mine", "rows.jsonl"), "--out is missing: folder of rows.jsonl"),
        (("gate", "--max-drop", "much"), "--max-drop much: a number is expected. See `dtbench gate --help`."),
        (("data", "pul"), "pul: dtbench data has no such command. Did you mean pull? See `dtbench data --help`."),
        (("data", "x"), "x: dtbench data has no such command. Known: pull, verify, convert, load."),
    ],
)
def test_a_misuse_is_one_line_with_what_is_allowed(arguments: tuple[str, ...], line: str) -> None:
    assert call(*arguments).refusal().startswith(f"error: {line}")


@pytest.mark.parametrize("group", [(), ("data",)], ids=" ".join)
def test_a_group_without_a_command_shows_its_help_and_ends_with_2(group: tuple[str, ...]) -> None:
    assert call(*group) == (2, call(*group, "--help").out, "")
