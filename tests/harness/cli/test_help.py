"""The pages of --help: what every command shows, in 80 columns."""

from __future__ import annotations

import functools
import os
import pty
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
from command import COMMAND, call

from dtbench.harness.cli.help_pages import GROUPS
from dtbench.harness.cli.help_texts import EXAMPLES
from dtbench.harness.cli.main import COMMANDS, build
from dtbench.harness.core.options import INPUT, PANELS

CODES = re.compile(r"^  (\d+) {2,}\S", re.MULTILINE)
COLOURS = re.compile(r"\x1b\[[\d;]*m")
SECTIONS = re.compile(r"^(\w[\w -]*)\n((?: .*\n)+)", re.MULTILINE)


def command_at(path: str) -> tuple[Any, Any]:
    """A command or group of commands as typer parses it, and its context."""
    words = path.split()
    command: Any = typer.main.get_command(build(words))
    context = typer.Context(command, info_name="dtbench")
    for word in words:
        command = command.get_command(context, word)
        context = typer.Context(command, info_name=word, parent=context)
    return command, context


def paths() -> Iterator[str]:
    """The words of every command."""
    for name in COMMANDS:
        yield name
        command, _ = command_at(name)
        yield from (f"{name} {part}" for part in getattr(command, "commands", {}))


def sections(page: str) -> Mapping[str, str]:
    """The parts of a page by their headings."""
    return dict(SECTIONS.findall(page))


PATHS = list(paths())


@functools.cache
def help_page(path: str) -> str:
    """The page of a command."""
    return call(*path.split(), "--help").out


def in_a_terminal(*arguments: str, columns: int = 80, **environment: str) -> str:
    """What a terminal of so many columns shows, with its colours."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS"}}
    settings = {**kept, "COLUMNS": str(columns), "TERM": "xterm", **environment}
    with subprocess.Popen(
        [*COMMAND, *arguments], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=settings
    ) as running:
        os.close(theirs)
        shown = b""
        while piece := _read(ours):
            shown += piece
        running.wait()
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other side is closed
        return b""


def test_every_command_stands_in_one_group_of_the_first_page() -> None:
    listed = [name for names in GROUPS.values() for name in names]
    assert sorted(set(listed)) == sorted(listed)
    assert set(COMMANDS) <= set(listed)
    page = sections(call("--help").out)
    for title, names in GROUPS.items():
        there = [name for name in names if name in COMMANDS]
        assert re.findall(r"^  ([\w-]+)", page[title], re.MULTILINE) == there
        for name in there:
            assert COMMANDS[name].help in " ".join(page[title].split())


@pytest.mark.parametrize("path", PATHS)
def test_every_option_of_a_command_stands_once_in_a_panel_with_its_metavar(path: str) -> None:
    page = sections(help_page(path))
    command, context = command_at(path)
    panels = {title: text for title, text in page.items() if title in {*PANELS, INPUT, "Arguments", "Options"}}
    for one in command.get_params(context):
        if one.param_type_name == "argument":
            assert re.search(rf"^  {re.escape(one.metavar)}(  |$)", panels["Arguments"], re.MULTILINE)
        else:
            shown = f"{one.opts[0]} {one.metavar}" if one.metavar else one.opts[0]
            found = re.findall(
                rf"^  (?:.*, )?{re.escape(shown)}(?:,.*?)?(?:  .*|$)", "".join(panels.values()), re.MULTILINE
            )
            assert len(found) == 1, (shown, found)
            assert one.help


@pytest.mark.parametrize("path", ["", *PATHS])
def test_every_page_ends_with_examples_and_exit_codes(path: str) -> None:
    page = sections(help_page(path))
    assert {"0", "2", "3", "130"} <= set(CODES.findall(page["Exit codes"]))
    examples = [line.strip() for line in page["Examples"].splitlines() if not line.startswith("  #")]
    assert examples == [example.command for example in EXAMPLES[path]]
    assert 2 <= len(examples) <= 4


@pytest.mark.parametrize("example", [one.command for each in EXAMPLES.values() for one in each])
def test_an_example_has_only_options_that_its_command_knows(example: str) -> None:
    program, *words = shlex.split(example)
    assert program == "dtbench"
    command: Any = typer.main.get_command(build(words))
    context = typer.Context(command, info_name="dtbench")
    while hasattr(command, "commands"):
        command, words = command.get_command(context, words[0]), words[1:]
    command.make_context(command.name, words)


@pytest.mark.parametrize("path", ["", *PATHS])
def test_no_line_of_a_page_is_wider_than_a_terminal_of_80_columns(path: str) -> None:
    shown = in_a_terminal(*path.split(), "--help")
    assert "\x1b[" in shown
    plain = COLOURS.sub("", shown)
    assert [line for line in plain.splitlines() if len(line) > 80] == []
    assert plain == help_page(path)


def test_a_page_has_no_colours_where_none_are_wanted() -> None:
    assert "\x1b[" not in in_a_terminal("run", "--help", NO_COLOR="1")
    assert "\x1b[" not in in_a_terminal("run", "--help", TERM="dumb")


def test_the_exit_codes_of_the_gate_are_its_verdicts() -> None:
    codes = dict(re.findall(r"^  (\d+) +(.*)$", call("gate", "--help").out, re.MULTILINE))
    assert (codes["0"], codes["1"]) == ("passed", "regressed")
    assert codes["4"].startswith("inconclusive")


@pytest.mark.parametrize(
    ("path", "default"),
    [
        ("run", "--concurrency N Maximum concurrent requests. [default: 16 for a URL, 64 per vLLM replica,"),
        ("judge", "--concurrency N Maximum concurrent requests. [default: 8]"),
        ("run", "[default: results/runs/MODEL-TASK]"),
        ("run", "[default: $DTBENCH_DATA, else ~/.cache/dtbench]"),
        ("run", "[default: said]"),
        ("judge", "[default: RUN/judge-NAME]"),
        ("gate", "[default: what these questions can decide]"),
    ],
)
def test_defaults_are_shown(path: str, default: str) -> None:
    assert default in " ".join(help_page(path).split())


def test_an_error_is_red_and_broken_at_word_ends_in_a_terminal_and_one_line_in_a_pipe() -> None:
    wrong = ("run", "--model", "first", "--tasks", "mini", "--long-clips", "middle")
    line = call(*wrong).refusal()
    shown = in_a_terminal(*wrong, columns=40)
    assert shown.startswith("\x1b[1;31merror:\x1b[0m ")
    lines = COLOURS.sub("", shown).splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= 40
    assert " ".join(lines) == line
    assert in_a_terminal(*wrong, columns=40, NO_COLOR="1").splitlines() == lines


def test_help_and_version_are_commands_too() -> None:
    assert call("help", "run").out == call("run", "--help").out
    assert call("help").out == call("--help").out
    assert call("version").out == call("-V").out == call("--version").out


@pytest.mark.parametrize(
    ("path", "name"),
    [("run", "--model"), ("run", "--tasks"), ("judge", "--base-url"), ("gate", "--candidate"), ("mine", "--out")],
)
def test_what_has_to_be_given_is_marked(path: str, name: str) -> None:
    words = " ".join(help_page(path).split())
    assert re.search(rf" {name} [^\[]*(\[(?!required)[^\[]*)?\[required\]", words)


def test_an_argument_that_has_to_be_given_is_not_shown_as_optional() -> None:
    assert call("train", "--help").out.startswith("Usage: dtbench train [OPTIONS] RECIPE\n")
    assert call("score", "--help").out.startswith("Usage: dtbench score [OPTIONS] [RUN]\n")


def test_the_lines_of_a_summary_break_where_a_word_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # for a short path in the command that is shown next, which stays in one line
    assert call("run", "--model", "first", "--tasks", "mini", "--limit", "40", "--out", "out").code == 0
    whole = call("score", "out").out
    shown = COLOURS.sub("", in_a_terminal("score", "out"))
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.partition("What to type next")[0].split() == whole.split()
    assert max(map(len, whole.splitlines())) > 80, "a pipe gets lines whole"
