"""What each command says to type next works as it stands, with the folders of that very call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from chat_server import chatting
from command import COMMAND, Done, call
from judges import chain_of, honest, mmar_with_criteria
from made_up_run import write_run
from runs import ended, interrupt, mmar_data, started, wait_until, write_script
from terminal import shown

from dtbench.harness.cli.next_steps import TITLE, NextStep, step_lines

NAME = "my runs"
"""A folder whose name a shell would split."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where runs lie, beside the data that they are of."""
    mmar_data(tmp_path / "data", 12)
    (tmp_path / NAME).mkdir()
    return tmp_path / NAME


def a_run(folder: Path, name: str, model: str = "first", *options: str) -> Done:
    asked = ("--tasks", "mmar", "--data-dir", folder.parent / "data", "--out", folder / name)
    return call("run", "--model", model, *asked, *options)


def scripted(folder: Path) -> Sequence[str]:
    """A model that always says the same, and the option that names what."""
    return write_script(folder.parent / "script.jsonl", [{"text": "(A)"}])[1:]


def typed(done: Done, *verbs: str) -> list[Done]:
    """Each command that was named, done; they are these ones."""
    assert [step[:2] for step in done.next] == [["dtbench", verb] for verb in verbs], done.err
    return [call(*step[1:]) for step in done.next]


def test_a_run_leads_to_its_page_and_to_the_file_for_the_leaderboard(folder: Path) -> None:
    page, file = typed(a_run(folder, "a"), "report", "export")
    assert (page.code, file.code) == (0, 0)
    assert (folder / "a" / "report.html").is_file()


def test_a_trial_leads_to_the_whole_run_and_to_no_file_for_a_leaderboard(folder: Path) -> None:
    done = a_run(folder, "a", "first", "--limit", "5")
    assert [step[1] for step in done.next] == ["report"]
    assert done.err.endswith("\nThe same command without --limit 5 asks the other questions too.\n")
    assert [step[1] for step in a_run(folder, "a").next] == ["report", "export"]


@pytest.mark.parametrize("options", [("--audio", "silence"), ("--permute", "1")])
def test_a_test_of_the_score_and_an_oracle_are_nothing_to_hand_in(folder: Path, options: tuple[str, str]) -> None:
    a_run(folder, "a")
    assert "export" not in [step[1] for step in a_run(folder, "a", "first", *options).next]
    assert "export" not in [step[1] for step in a_run(folder, "b", "echo-gold").next]


def test_a_second_run_is_compared_with_the_first(folder: Path) -> None:
    a_run(folder, "a")
    done = a_run(folder, "b", *scripted(folder))
    assert done.next[1] == ["dtbench", "compare", str(folder / "a"), str(folder / "b")]
    compared = call(*done.next[1][1:])
    assert compared.code == 0
    page, gate = typed(compared, "report", "gate")
    assert page.code == 0
    assert gate.code in {0, 4}
    assert [one.code for one in typed(gate, "report")] == [0]


def test_an_oracle_is_compared_and_leads_to_no_gate(folder: Path) -> None:
    a_run(folder, "a")
    a_run(folder, "b", "echo-gold")
    assert [one.code for one in typed(call("compare", folder / "a", folder / "b"), "report")] == [0]


def test_a_run_of_other_questions_is_no_neighbour(folder: Path) -> None:
    assert call("run", "--model", "first", "--tasks", "mini", "--limit", "2", "--out", folder / "mini").code == 0
    (folder / "broken").mkdir()
    (folder / "broken" / "run.json").write_text("{}")
    assert [step[1] for step in a_run(folder, "a").next] == ["report", "export"]


def test_a_run_that_was_interrupted_is_resumed_by_what_is_named(folder: Path) -> None:
    model = write_script(folder / "script.jsonl", [{"text": "(A)", "sleep": 0.3}])
    asked = ("--tasks", "mmar", "--data-dir", folder.parent / "data", "--out", folder / "a")
    with started(*model, *asked, "--concurrency", "1") as process:
        wait_until(lambda: (folder / "a" / "mmar.jsonl").exists())
        interrupt(process)
        stopped = ended(process)
    assert stopped.code == 130
    assert [one.code for one in typed(stopped, "run")] == [0]
    assert len((folder / "a" / "mmar.jsonl").read_text().splitlines()) == 12


def test_scores_judges_and_exports_name_what_comes_after_them(folder: Path) -> None:
    mmar_with_criteria(folder / "mmar", 3)
    write_run(folder / "a", {"mmar": folder / "mmar"}, lambda sample, repeat: chain_of(sample, 2))
    assert [one.code for one in typed(call("score", folder / "a"), "report")] == [0]
    with chatting(choose=honest) as chat:
        judged = call("judge", folder / "a", "--model", "tiny", "--base-url", chat.url)
        page, trust = typed(judged, "report", "judge")
    assert (page.code, trust.code) == (0, 0)
    assert "trust " in trust.out
    written = call("export", folder / "a", "--format", "arc", "--data-dir", folder / "mmar")
    assert written.code == 0, written
    assert written.err.endswith("Then upload it at CodaBench: 12460 for a single model, 12459 for an agent.\n")
    (step,) = written.next
    assert step[:5] == ["dtbench", "export", "--format", "arc", "--check"]
    assert Path(step[5]).is_file()


def test_data_that_was_fetched_is_checked_and_asked_about(tmp_path: Path) -> None:
    done = call("data", "pull", "mini", "--data-dir", tmp_path)
    check, ask = done.next
    assert call(*check[1:]).code == 0
    assert ask == ["dtbench", "run", "--model", "MODEL", "--tasks", "mini", "--data-dir", str(tmp_path)]


def test_with_json_nothing_is_said_of_it(folder: Path) -> None:
    assert a_run(folder, "a", "first", "--json").err == ""
    assert a_run(folder, "b", *scripted(folder), "--json").err == ""
    for command in ("score", "report"):
        assert call(command, folder / "a", "--json").err == ""
    assert call("compare", folder / "a", folder / "b", "--json").err == ""
    assert call("gate", "--baseline", folder / "a", "--candidate", folder / "b", "--json").err == ""


def test_it_stands_on_stderr_at_the_end_in_few_lines(folder: Path) -> None:
    done = a_run(folder, "a")
    *_, title, report, export = done.err.splitlines()
    assert title == "What to type next:"
    assert "dtbench" not in done.out
    assert report.startswith(f"  dtbench report '{folder}/a'")
    assert export.startswith(f"  dtbench export '{folder}/a' --format arc")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_on_a_terminal_purposes_stand_where_there_is_room(
    folder: Path, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    asked = ("run", "--model", "first", "--tasks", "mmar", "--data-dir", "../data", "--out", "a")
    done = shown([*COMMAND, *asked], columns, stdout_apart=True)
    assert done.code == 0
    lines = [line for line in done.left if line.startswith("  dtbench ")]
    assert len(lines) == 2
    assert all(len(line) <= columns for line in lines)
    assert ("# every answer on one page" in lines[0]) == (columns > 40)


def test_purposes_stand_in_one_column() -> None:
    steps = [NextStep(["a"], "one"), NextStep(["longer"], "two"), NextStep(["x" * 70], "never"), NextStep(["b c"])]
    assert step_lines(steps) == [
        "  dtbench a       # one",
        "  dtbench longer  # two",
        f"  dtbench {'x' * 70}",
        "  dtbench 'b c'",
    ]


def test_a_sweep_says_it_once(folder: Path) -> None:
    asked = ("--tasks", "mmar", "--data-dir", folder.parent / "data", "--out", folder)
    done = call("sweep", "first", "random", *asked)
    assert done.err.count(TITLE) == 1
    compared, page = typed(done, "compare", "report")
    assert (compared.code, page.code) == (0, 0)
