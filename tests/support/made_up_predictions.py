"""Prediction files of made-up items, as large as the published ones and in the forms that models answer in."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

Item = dict[str, Any]


class Size(NamedTuple):
    """A prediction file of the size of a published benchmark."""

    task: str
    rows: int
    key: str


SIZES = (
    Size("mmar", 1000, "answer_prediction"),
    Size("mmau-mini", 1000, "model_output"),
    Size("mmsu", 5000, "response"),
)
MANNERS = ("slow", "bright", "distant", "steady", "muffled", "sharp", "falling", "warm", "broken", "hurried")
SOURCES = ("church bell", "river", "crowd", "violin", "tram", "kettle", "speaker", "drum", "gull", "engine", "door")
PLACES = ("in a hall", "outdoors", "behind a wall", "in the left channel", "after a pause", "over music")

FORMS: tuple[Callable[[str, str], str], ...] = (
    lambda letter, text: text,
    lambda letter, text: letter,
    lambda letter, text: f"({letter}) {text}",
    lambda letter, text: f"The answer is {text}.",
    lambda letter, text: f"I hear this clearly from the first second on, so it must be {text} here.",
    lambda letter, text: f"<answer>{text}</answer>",
    lambda letter, text: (
        "<think>The clip opens with noise. A tone follows, then it fades and something else takes over; "
        f"the last part tells most, and it points to {text}.</think>\n<answer>({letter}) {text}</answer>"
    ),
    lambda letter, text: (
        "The clip opens with noise and a tone follows. The pitch stays where it was, which leaves one option.\n\n"
        f"Answer: {letter}. {text}"
    ),
)


def write_predictions(path: Path, size: Size, *, as_list: bool = False) -> None:
    """One file in a benchmark's own format, the same at every call."""
    dice = random.Random(size.rows)
    records = [_record(size, number, dice) for number in range(size.rows)]
    lines = (json.dumps(record, ensure_ascii=False) for record in records)
    path.write_text(f"[{','.join(lines)}]" if as_list else "".join(f"{line}\n" for line in lines), encoding="utf-8")


def _record(size: Size, number: int, dice: random.Random) -> Item:
    options = _options(dice)
    letter, text = dice.choice(list(zip("ABCD", options, strict=True)))
    output = dice.choice(FORMS)(letter, text)
    fields = _mmsu(options, dice) if size.task == "mmsu" else _with_choices(size.task, options, dice)
    return {"id": f"made-up-{number:04}", "question": f"What is heard in scene {number}?", **fields, size.key: output}


def _options(dice: random.Random) -> list[str]:
    options: set[str] = set()
    while len(options) < 4:
        options.add(f"A {dice.choice(MANNERS)} {dice.choice(SOURCES)} {dice.choice(PLACES)}")
    return sorted(options)


def _mmsu(options: list[str], dice: random.Random) -> Item:
    lettered = {f"choice_{letter}": text for letter, text in zip("abcd", options, strict=True)}
    return {
        **lettered,
        "answer_gt": dice.choice(options),
        "category": dice.choice(["Perception", "Reasoning"]),
        "sub-category": dice.choice(["Linguistics", "Paralinguistics"]),
    }


def _with_choices(task: str, options: list[str], dice: random.Random) -> Item:
    asked = {"choices": options, "answer": dice.choice(options), "sub-category": f"made-up {dice.randrange(20)}"}
    if task == "mmar":
        layers = ["Signal Layer", "Perception Layer", "Semantic Layer", "Cultural Layer"]
        return {**asked, "modality": dice.choice(["sound", "music", "speech"]), "category": dice.choice(layers)}
    difficulty = dice.choice(["easy", "medium", "hard"])
    return {**asked, "task": dice.choice(["sound", "music", "speech"]), "difficulty": difficulty}
