"""docs/robustness.md: its commands work as shown."""

from __future__ import annotations

import json
from pathlib import Path

from command import call
from pages import DOCS, blocks, python, shell

from dtbench.tasks.registry import get_task

PAGE = (DOCS / "robustness.md").read_text(encoding="utf-8")


def test_the_commands_of_the_page_work_as_shown(tmp_path: Path) -> None:
    asked = list(get_task("mini").load(None).samples)[:24]
    (tmp_path / "ids.txt").write_text("".join(f"{one.id}\n" for one in asked))
    rows = [{"id": one.id, "question": f"{text} {one.question}"} for one in asked for text in ("Listen:", "Now:")]
    (tmp_path / "words.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    commands = blocks(PAGE, "sh")[0]
    printed = shell(commands, tmp_path)
    assert "what moves the score:" in printed
    (task,) = json.loads(call("score", tmp_path / "runs" / "random", "--json").out)
    forms = {one["form"]: one["runs"] for one in task["robustness"]}
    assert sorted(forms) == ["--audio mp3:16k", "--audio noise:10dB", "--audio silence", "--paraphrase", "--permute"]
    assert (forms["--paraphrase"], forms["--permute"]) == (2, 4)
    assert '"consistency"' in (tmp_path / "runs" / "random" / "report.html").read_text()


def test_the_lines_of_the_page_are_paraphrases(tmp_path: Path) -> None:
    from dtbench.harness.store.paraphrases import read_paraphrases

    path = tmp_path / "words.jsonl"
    path.write_text(blocks(PAGE, "json")[0])
    assert read_paraphrases(path).most == 2


def test_the_small_set_of_the_page_is_found_and_can_be_asked(tmp_path: Path) -> None:
    commands = blocks(PAGE, "sh")[1].replace("--tasks mini --out", "--tasks mini --limit 120 --out")
    printed = shell(commands, tmp_path)
    ids = (tmp_path / "small.txt").read_text().split()
    assert len(set(ids)) == len(ids) == 40
    assert "random sets" in printed
    assert len((tmp_path / "runs" / "small" / "mini.jsonl").read_text().splitlines()) == 40
    error, *_ = python(blocks(PAGE, "python")[0], tmp_path).split()
    assert 0 <= float(error) < 0.5
