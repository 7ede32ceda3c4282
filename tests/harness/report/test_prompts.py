"""The prompts that a report shows are those that were sent, whatever words a run was asked in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from chat_server import Asked, chatting
from command import call
from made_up_run import write_run
from reported import first, samples
from runs import audible_data
from small_data import mmar_items, write_json

WORDINGS: dict[str, Sequence[str]] = {
    "the task's": (),
    "with reasoning": ("--answer", "think"),
    "rotated": ("--permute", "1"),
    "with a system prompt": ("--system", "Listen well.\n\nThen answer."),
    "of a user's": ("--prompt", "plain.txt"),
    "inline, with a system prompt": ("--prompt", "inline.txt", "--system", "Be brief."),
    "as a list": ("--prompt", "list.txt", "--permute", "2"),
    "options before the question": ("--prompt", "turned.txt"),
    "of authors": ("--prompt", "r1-aqa/mmau"),
}
FILES = {
    "plain.txt": "Hear: {question}\nPick one of:\n{options:plain}\nNothing else. {question}",
    "inline.txt": "{question} {options:inline}",
    "list.txt": "{question} Choose from {options:list}.",
    "turned.txt": "{options:dotted}\n\n{question}",
}


def words_sent(asked: Asked) -> tuple[str | None, str]:
    """The system prompt and the words of the user's turn."""
    messages: list[dict[str, Any]] = asked.json()["messages"]
    system = next((one["content"] for one in messages if one["role"] == "system"), None)
    content = next(one["content"] for one in messages if one["role"] == "user")
    texts = [part["text"] for part in content if part["type"] == "text"] if isinstance(content, list) else [content]
    return system, "".join(texts)


@pytest.mark.parametrize("name", WORDINGS)
def test_prompts_are_shown_as_they_were_sent(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for file, text in FILES.items():
        (tmp_path / file).write_text(text)
    audible_data(tmp_path / "data", 5)
    with chatting() as chat:
        asked = ("--model", chat.url, "--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "run")
        assert call("run", *asked, *WORDINGS[name]).code == 0
        sent = {words_sent(one) for one in chat.asked}
    assert call("report", tmp_path / "run", "--clips", "none").code == 0
    page = tmp_path / "run" / "report.html"
    (task,) = first(page)["tasks"]
    (questions,) = samples(page)["tasks"]
    (prompt,) = task["prompts"]
    shown = {(prompt["system"], question["prompts"][0]) for question in questions}
    assert len(sent) == 5
    assert shown == sent


def test_runs_of_one_wording_share_it_and_others_have_their_own(tmp_path: Path) -> None:
    from dtbench.harness.run.plan import PromptForm

    write_json(tmp_path / "data" / "MMAR-meta.jsonl", mmar_items(6))
    forms = (PromptForm(), PromptForm(permute=1), PromptForm())
    for number, form in enumerate(forms):
        write_run(
            tmp_path / f"run{number}", {"mmar": tmp_path / "data"}, lambda sample, _: sample.choices[0], form=form
        )
    runs = [tmp_path / f"run{number}" for number in range(3)]
    assert call("report", *runs, "--clips", "none").code == 0
    (task,) = first(runs[0] / "report.html")["tasks"]
    (questions,) = samples(runs[0] / "report.html")["tasks"]
    assert task["prompt_of"] == [0, 1, 0]
    plain, rotated = questions[0]["prompts"]
    assert "(A) a bird\n(B) a bell" in plain
    assert "(A) a bell\n(B) a bird" in rotated


def test_without_the_questions_the_stored_words_are_kept(tmp_path: Path) -> None:
    write_json(tmp_path / "data" / "MMAR-meta.jsonl", mmar_items(6))
    write_run(tmp_path / "run", {"mmar": tmp_path / "data"}, lambda sample, _: sample.choices[0])
    (tmp_path / "data" / "MMAR-meta.jsonl").unlink()
    for stored in (tmp_path / "run").glob("*.questions.jsonl"):
        stored.unlink()
    assert call("report", tmp_path / "run", "--clips", "none").code == 0
    (task,) = first(tmp_path / "run" / "report.html")["tasks"]
    assert "{question}" in task["prompts"][0]["text"]


def test_the_reference_of_an_item_is_its_authors_reasoning_its_cue_and_its_criteria(tmp_path: Path) -> None:
    items = mmar_items(3)
    items[0] |= {"thinking": "A bell rings.", "cue": ["the bell", "the echo"]}
    items[0]["rubric"] = [{"name": "Bell", "scoring_point": "Says that a bell rings", "note": "", "choices": [0, 1]}]
    for item in items[1:]:
        for name in ("thinking", "cue", "rubric"):
            item.pop(name, None)
    items[2]["rubric"] = "no list"
    write_json(tmp_path / "data" / "MMAR-meta.jsonl", items)
    write_run(tmp_path / "run", {"mmar": tmp_path / "data"}, lambda sample, _: sample.choices[0])
    assert call("report", tmp_path / "run", "--clips", "none").code == 0
    (questions,) = samples(tmp_path / "run" / "report.html")["tasks"]
    criteria = [{"name": "Bell", "point": "Says that a bell rings", "note": ""}]
    assert [question["reference"] for question in questions] == [
        {"chain": "A bell rings.", "cue": "the bell\nthe echo", "criteria": criteria},
        None,
        None,
    ]
