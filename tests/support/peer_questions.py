"""Made-up questions in the form that each harness reads."""

from __future__ import annotations

import json
from pathlib import Path

LETTERS = "ABCD"
Item = dict[str, object]


def question(number: int) -> Item:
    question = f"Scene {number}: a street, some people and a bell are heard. " + "Which of them came first? " * 8
    choices = [f"the thing with number {number + place}" for place in range(len(LETTERS))]
    options = "\n".join(f"({letter}) {choice}" for letter, choice in zip(LETTERS, choices, strict=True))
    gold = number % len(LETTERS)
    return {
        "id": f"made-up-{number}",
        "question": question,
        "choices": choices,
        "letter": LETTERS[gold],
        "answer": choices[gold],
        "prompt": f"{question}\n{options}\nThink, then end with ANSWER: and the letter.",
    }


def lettered(item: Item) -> Item:
    choices = item["choices"]
    assert isinstance(choices, list)
    options = dict(zip(LETTERS, choices, strict=True))
    return {"id": item["id"], "question": item["question"], **options, "answer": item["letter"]}


def as_mmar(item: Item) -> Item:
    groups = {"modality": "sound", "category": "Signal Layer", "sub-category": "Made up", "language": "en"}
    same = {name: item[name] for name in ("id", "question", "choices", "answer")}
    return {**same, "audio_path": f"./audio/{item['id']}.wav", **groups}


def write_lines(path: Path, items: list[Item]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")


def with_clip(item: Item, folder: Path) -> Item:
    """The question and where its clip lies."""
    return {**item, "audio": str(folder / f"{item['id']}.wav")}
