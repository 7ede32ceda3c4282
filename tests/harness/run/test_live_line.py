"""The line that shows how far a command is, on real terminals of all widths and where there is none."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from chat_server import Turn, chatting
from command import COMMAND
from runs import audible_data, mmar_data, wait_until, write_script
from terminal import Shown, resize, shown

from dtbench.harness.run import live_line
from dtbench.harness.run.live_line import (
    LiveCount,
    LiveFigure,
    LiveLine,
    LiveState,
    bytes_state,
    columns_of,
    short_name,
)
from dtbench.harness.run.progress import run_state
from dtbench.harness.run.worker_pool import Progress

FIGURE = (
    r"(?:[\d.,]+/s|(?:\d+ h )?(?:\d+ min)?(?: ?\d+ s)? left|[\d.]+% right|\d+ \w+|[\d,]+ tokens/s|\d+ retr(?:y|ies))"
)
WHOLE = re.compile(rf"mmar (?:[#.]+ )?\d+/40(?: {FIGURE}(?:, {FIGURE})*)?")
"""A line of a run that breaks off nowhere."""
BUSY = Progress(1000, 150, 50, correct=20, unanswered=5, failed=10, tokens=5000, retries=3)


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (
            200,
            "mmar ###................. 150/1000 5.0/s, 2 min 50 s left, 50.0% right, 5 unanswered, 10 failed, "
            "500 tokens/s, 3 retries",
        ),
        (98, "mmar 150/1000 5.0/s, 2 min 50 s left, 50.0% right, 5 unanswered, 10 failed, 500 tokens/s"),
        (80, "mmar 150/1000 5.0/s, 2 min 50 s left, 50.0% right, 5 unanswered, 10 failed"),
        (70, "mmar 150/1000 5.0/s, 2 min 50 s left, 50.0% right, 10 failed"),
        (40, "mmar 150/1000 5.0/s, 2 min 50 s left"),
        (35, "mmar 150/1000 2 min 50 s left"),
        (20, "mmar 150/1000"),
        (10, "150/1000"),
        (5, ""),
    ],
)
def test_where_a_terminal_is_narrow_whole_figures_go_and_those_that_matter_least_first(columns: int, line: str) -> None:
    assert run_state(BUSY, 10.0).fitted("mmar", columns) == line


@pytest.mark.parametrize("columns", range(1, 140))
def test_no_width_is_exceeded(columns: int) -> None:
    for name in ("mmar", "a-task-of-mine-with-a-very-long-name", "日本語" * 12):
        assert columns_of(run_state(BUSY, 10.0).fitted(name, columns)) <= columns


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("mmau-mini", "mmau-mini"),
        ("lm_eval:a_task_of_mine_long", "lm_eval:a_task_of_mine…"),
        ("sound-scenes-of-the-city-at-night", "sound-scenes-of-the…"),
        ("x" * 30, f"{'x' * 12}…"),
    ],
)
def test_a_long_name_ends_with_a_word_of_it(name: str, short: str) -> None:
    assert short_name(name) == short


def test_a_count_of_unknown_end_has_no_time_left() -> None:
    count = LiveCount("clips")
    assert count.state(3.0) == LiveState(0, None, [], "clips")
    count.set(5, 100)
    assert count.state(1.0).figures == [], "where it starts says nothing of its speed"
    count.set(15, 100)
    assert count.state(2.0).plain("mmar") == "mmar: 15 of 100 clips, 5.0/s, 17 s left"


def test_a_file_is_shown_in_megabytes() -> None:
    state = bytes_state(30_000_000, 90_000_000, 10.0)
    assert state.plain("a.tar.gz") == "a.tar.gz: 30 of 90 MB, 3.0 MB/s, 20 s left"
    assert bytes_state(0, 0, 1.0).plain("a.tar.gz") == "a.tar.gz: ..."


def a_run(tmp_path: Path, *options: str) -> list[str]:
    mmar_data(tmp_path / "data", 40)
    answers = [{"text": "(A)", "sleep": 0.1}, {"text": "Hm.", "sleep": 0.1}]
    model = write_script(tmp_path / "script.jsonl", answers)
    asked = ("run", *model, "--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "run", *options)
    return [*COMMAND, *map(str, asked), "--concurrency", "4"]


def lines_of(shown: Shown) -> list[str]:
    return [line for line in shown.states if re.search(r"\d/40\b", line)]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_on_a_terminal_a_run_is_one_line_that_is_rewritten_and_never_breaks(tmp_path: Path, columns: int) -> None:
    done = shown(a_run(tmp_path), columns, stdout_apart=True)
    states = lines_of(done)
    assert done.code == 0
    assert len(states) > 3
    assert [line for line in states if len(line) >= columns or not WHOLE.fullmatch(line)] == []
    assert len([line for line in done.left if "/40" in line]) == 1, "one line stays of it"
    assert "40/40" in states[-1]
    assert ("#" in states[-1]) == (columns == 200)
    assert "\x1b" not in done.out
    assert "/40" not in done.out, "nothing of it is on stdout"


def test_a_terminal_that_is_resized_gets_lines_that_fit(tmp_path: Path) -> None:
    widths: list[int] = []

    def narrower(said: str, terminal: int) -> None:
        if not widths and "/40" in said:
            widths.append(len(said))
            resize(terminal, 40)

    done = shown(a_run(tmp_path), 200, meanwhile=narrower, stdout_apart=True)
    before, after = done.screen[: widths[0]], done.screen[widths[0] :]
    assert any(len(line) > 60 for line in before.split("\r"))
    states = lines_of(Shown(0, after, ""))
    assert len(states) > 2
    assert all(WHOLE.fullmatch(line) for line in states)
    assert [line for line in states[1:] if len(line) >= 40] == [], "one was on its way"


def test_with_json_nothing_is_shown_on_a_terminal_either(tmp_path: Path) -> None:
    done = shown(a_run(tmp_path, "--json"), stdout_apart=True)
    assert (done.code, done.screen) == (0, "")
    assert json.loads(done.out)["status"] == "done"


def test_what_is_logged_meanwhile_stands_above_the_line(tmp_path: Path) -> None:
    done = shown([*COMMAND, "-v", *a_run(tmp_path)[3:]], 200)
    assert done.code == 0
    logged = [line for line in done.left if re.match(r"\d{4}-\d\d-\d\dT\S+ INFO ", line)]
    assert logged
    assert len([line for line in done.left if re.match(r"mmar .*\d+/40 ", line)]) == 1


def test_a_request_that_is_sent_again_is_shown_while_it_waits(tmp_path: Path) -> None:
    audible_data(tmp_path / "data", 2)
    with chatting(*[Turn(status=500, headers={"retry-after": "1"})] * 2) as chat:
        asked = ("run", "--model", chat.url, "-M", "model=tiny", "--tasks", "mmar", "--data-dir", tmp_path / "data")
        done = shown([*COMMAND, *map(str, asked), "--out", str(tmp_path / "run")], 200)
    assert done.code == 0
    assert any("0/2" in line and "2 retries" in line for line in done.states), done.screen
    assert "tokens/s, 2 retries" in [line for line in done.states if "2/2" in line][-1]


def test_a_rate_limit_is_shown_while_it_is_waited_for(tmp_path: Path) -> None:
    audible_data(tmp_path / "data", 2)
    with chatting(*[Turn(status=429, headers={"retry-after": "2"})] * 2) as chat:
        asked = ("run", "--model", chat.url, "-M", "model=tiny", "--tasks", "mmar", "--data-dir", tmp_path / "data")
        done = shown([*COMMAND, *map(str, asked), "--out", str(tmp_path / "run")], 200)
    assert done.code == 0
    assert any("0/2 waiting 2 s: the endpoint's rate limit" in line for line in done.states), done.screen
    assert "2 requests refused" in [line for line in done.states if "2/2" in line][-1]


def test_what_another_library_prints_is_kept_in_whole_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    before = sys.stderr
    with LiveLine(quiet=False) as line:
        line.begin("mmar", lambda seconds: LiveState(1, 2, []))
        print("half", end="", file=sys.stderr)
        line.notify("a note")
        print("the rest", end="", file=sys.stderr)
    assert sys.stderr is before
    left = [part.rpartition("\x1b[2K")[2] for part in capsys.readouterr().err.split("\n")]
    assert left == ["halfa note", "the rest", f"mmar {'#' * 10}{'.' * 10} 1/2", ""]


def test_without_a_terminal_lines_come_also_while_nothing_is_finished(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_line, "PLAIN_SECONDS", 0.01)
    looks: list[float] = []

    def state(seconds: float) -> LiveState:
        looks.append(seconds)
        return LiveState(0, 5, [LiveFigure("2 retries", 1)])

    with LiveLine(quiet=False).showing("mmar", state):
        wait_until(lambda: len(looks) > 3)
    out, err = capsys.readouterr()
    assert out == ""
    assert set(err.splitlines()) == {"mmar: 0 of 5, 2 retries"}


def test_notes_break_where_a_word_ends(tmp_path: Path) -> None:
    done = shown(a_run(tmp_path), 40, stdout_apart=True)
    note = done.screen.replace("\r\n", "\n").partition("mmar: no audio")[2].partition("\x1b")[0]
    assert len(note.splitlines()) > 1
    assert all(len(line) <= 40 or " " not in line for line in note.splitlines())
    assert "the folder audio or mmar-audio.tar.gz" in " ".join(note.split())


def test_a_line_without_figures_leaves_nothing_behind(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with LiveLine(quiet=False).showing("overlap", LiveCount("clips").state):
        pass
    assert capsys.readouterr().err.endswith("\r\x1b[2K")
