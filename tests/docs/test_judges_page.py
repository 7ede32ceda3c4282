"""docs/judges.md: its commands work as shown, its options are those of the scorer, and its task files are read."""

from __future__ import annotations

import re
from pathlib import Path

from chat_server import Turn, chatting
from command import call
from judged_answers import fair
from pages import DOCS, blocks, shell

from dtbench.harness.judge.scorers import NAMES
from dtbench.harness.score.scorers.judging import JUDGE_FIELDS, JudgeRule

PAGE = (DOCS / "judges.md").read_text(encoding="utf-8")
(COMMANDS,) = blocks(PAGE, "sh")
TASK, SCORERS = blocks(PAGE, "toml")
(QUESTIONS,) = blocks(PAGE, "json")


def test_the_commands_of_the_page_work_as_shown(tmp_path: Path) -> None:
    (tmp_path / "chimes.toml").write_text(TASK)
    (tmp_path / "chimes.jsonl").write_text(QUESTIONS)
    with chatting(choose=fair) as chat:
        printed = shell(COMMANDS.replace("localhost:8000", chat.url), tmp_path)
        assert len(chat.asked) == 2
    assert "official       100.00% (2 of 2" in printed


def test_scorers_with_the_options_of_the_page_are_asked_one_by_one(tmp_path: Path) -> None:
    head = TASK.partition("[[score]]")[0].replace("[fields]", '[groups]\nkind = "kind"\n\n[fields]')
    (tmp_path / "two.toml").write_text(head + SCORERS)
    kinds = ("short", "long")
    lines = [
        line.replace("}", f', "kind": "{kind}"}}') for line, kind in zip(QUESTIONS.splitlines(), kinds, strict=True)
    ]
    (tmp_path / "chimes.jsonl").write_text("\n".join(lines))
    run = tmp_path / "run"
    assert call("run", "--model", "echo-gold", "--tasks", tmp_path / "two.toml", "--out", run).code == 0
    with chatting(default=Turn("YES")) as chat:
        judge = ("judge", run, "--base-url", chat.url)
        assert "chimes waits for judge, essay; name one" in call(*judge).refusal()
        assert call(*judge, "--scorer", "judge").code == 0


def test_the_page_names_every_option_and_field_and_what_can_be_judged() -> None:
    table = PAGE.partition("| option |")[2].partition("\n\n")[0]
    named = re.findall(r"`(\w+)`", "\n".join(line.split("|")[1] for line in table.splitlines()[1:] if "|" in line))
    assert sorted(named) == sorted(JudgeRule.__dataclass_fields__)
    assert {f"`{{{field}}}`" for field in JUDGE_FIELDS} <= {*re.findall(r"`\{\w+\}`", PAGE)}
    assert all(f"| `{name}` |" in PAGE for name in NAMES)
