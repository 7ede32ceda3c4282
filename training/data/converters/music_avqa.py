"""MUSIC-AVQA: questions about videos of music, made from templates. https://gewu-lab.github.io/MUSIC-AVQA/

`avqa-train.json` is a list; an item, made up (`anser` is how the field is called):

    {"video_id": "00000007", "question_id": 3, "type": "[\\"Audio\\", \\"Counting\\"]", "question_deleted": 0,
     "question_content": "Is the <Object> louder than the <Object>?", "templ_values": "[\\"flute\\", \\"tuba\\"]",
     "anser": "yes"}

Only what can be heard is asked: questions of the type Audio. Its answers have no options: they are drawn from the
answers to the same template, and numbers lie next to the right one.
"""

from __future__ import annotations

import ast
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dtbench.harness.core.records import MetadataRecord, read_json
from dtbench.training.data.converters.conversion import (
    ClipIndex,
    Skipped,
    ask_about_audio,
    find_files,
    seeded_shuffle,
    with_distractors,
)
from dtbench.training.data.rows import TrainingRow

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "more than ten")
_MARK = re.compile(r"<[^<>]+>")
Answers = Mapping[str, set[str]]


def music_avqa_rows(folder: Path) -> Iterator[TrainingRow | Skipped]:
    """Yield the training questions that are about what is heard."""
    clips = ClipIndex(folder)
    (file, *_) = find_files(folder, ("avqa-train.json", "**/avqa-train.json"), "MUSIC-AVQA")
    records = list(read_json(file))
    answers: dict[str, set[str]] = defaultdict(set)
    for record in records:
        answers[record.text("question_content").strip()].add(record.text("anser").strip())
    for record in records:
        yield _row(record, clips, answers)


def _row(record: MetadataRecord, clips: ClipIndex, answers: Answers) -> TrainingRow | Skipped:
    kinds = _list(record, "type")
    if not kinds or kinds[0] != "Audio":
        return Skipped("it asks for what is seen")
    if record.item.get("question_deleted"):
        return Skipped("its authors deleted it")
    clip = clips.find(record.text("video_id"))
    if clip is None:
        return Skipped("its clip is not there")
    template, answer = record.text("question_content").strip(), record.text("anser").strip()
    values = iter(_list(record, "templ_values"))
    try:
        question = _MARK.sub(lambda mark: next(values), template)
    except StopIteration:
        return Skipped("its template has more places than values")
    id_ = f"music-avqa-{record.get('question_id')}"
    choices = _choices(answer, answers[template], id_)
    if len(choices) < 2:
        return Skipped("there is no other answer to offer")
    return TrainingRow(
        id=id_,
        audio=clip,
        question=ask_about_audio(question),
        choices=choices,
        answer=answer,
        source="MUSIC-AVQA",
        extra={"groups": {"type": kinds[1] if len(kinds) > 1 else "none"}},
    )


def _choices(answer: str, others: set[str], seed: str) -> tuple[str, ...]:
    if answer in {"yes", "no"}:
        return "yes", "no"
    if answer in NUMBERS:
        place = NUMBERS.index(answer)
        first = min(max(0, place - random.Random(seed).randrange(4)), len(NUMBERS) - 4)
        return seeded_shuffle(NUMBERS[first : first + 4], seed)
    return with_distractors(answer, others, seed)


def _list(record: MetadataRecord, key: str) -> Sequence[str]:
    """Parse a list that the file stores as text, in JSON or as Python writes it."""
    value = record.get(key)
    if isinstance(value, str):
        try:
            value = json.loads(value) if '"' in value else ast.literal_eval(value)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            raise record.wrong(f"{key!r} must be a list, found {value[:60]!r}") from None
    if not isinstance(value, list):
        raise record.wrong(f"{key!r} must be a list, found {str(value)[:60]!r}")
    return [str(entry) for entry in value]
