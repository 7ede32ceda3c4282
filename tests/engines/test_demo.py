"""`dtbench demo` as whoever meets dtbench first types it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Done, process
from engines import Demo, source

from dtbench.harness.core.installed import install_command

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def home(first_demo: Demo) -> Iterator[Path]:
    """The folder in which the commands are typed."""
    before = Path.cwd()
    os.chdir(first_demo.home)
    yield first_demo.home
    os.chdir(before)


def demo() -> Done:
    return process("demo", "--backend", "local", PYTHONPATH=source())


@pytest.fixture(scope="module")
def first(first_demo: Demo, home: Path) -> Done:
    return first_demo.done


def test_it_shows_what_is_right_and_what_the_sound_is_worth(first: Done, home: Path) -> None:
    assert first.code == 0, first.err
    assert first.out.count("mini, data 1: ") == 2
    assert first.out.index("easy") < first.out.index("listening      +")
    assert "The run goes to results/runs/demo-local." in first.out
    assert [path.name for path in home.iterdir()] == ["results"]
    assert (home / "results" / "runs" / "demo-local" / "audio-shuffle" / "summary.json").is_file()
    assert "Open results/runs/demo-local/report.html in a browser" in first.out
    assert (home / "results" / "runs" / "demo-local" / "report.html").stat().st_size > 100_000


def test_a_second_call_shows_the_same_and_asks_nothing(first: Done, home: Path) -> None:
    answers = home / "results" / "runs" / "demo-local" / "mini.jsonl"
    before = answers.read_bytes()
    again = demo()
    assert again.code == 0, again.err
    assert "The run exists already; delete results/runs/demo-local to start over." in again.out
    assert "loading" not in again.err
    assert tables(again) == tables(first)
    assert answers.read_bytes() == before


def tables(done: Done) -> str:
    return done.out.partition("What it says")[2]


def test_what_it_says_to_type_next_works(first: Done) -> None:
    commands = re.findall(r"^  dtbench (.*?)(?: {3,}#.*)?$", first.out, re.MULTILINE)
    assert len(commands) == 6
    for command in commands:
        few = ["--limit", "5"] if "think" in command else []
        done = process(*command.split(), *few, PYTHONPATH=source())
        assert done.code == 0, (command, done.err)


def test_an_engine_that_is_none_is_one_line(home: Path) -> None:
    refusal = process("demo", "--backend", "vlm", PYTHONPATH=source()).refusal()
    assert refusal == "error: --backend vlm: unknown. Did you mean vllm? Known: vllm, local."


def test_where_no_engine_is_installed_it_says_what_to_install(home: Path) -> None:
    bare = (
        "import os, sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "os.environ['PATH'] = ''; sys.executable = os.path.abspath('python')\n"
        "from dtbench.harness.cli.main import main; main()"
    )
    for words in (["demo"], ["run", "--model", "mini", "--tasks", "mini", "--out", "bare"]):
        done = subprocess.run(
            [sys.executable, "-c", bare, *words],
            env={**os.environ, "PYTHONPATH": source()},
            capture_output=True,
            text=True,
            check=False,
        )
        assert Done(done.returncode, done.stdout, done.stderr).refusal() == (
            "error: --model mini: vLLM is not installed here, nor torch and transformers to do without it: "
            f"`{install_command('local')}`."
        )
