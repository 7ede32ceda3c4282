"""Write the first task of a user's own: a task file, three questions with clips, and a test that passes."""

from __future__ import annotations

import json
import math
import re
import struct
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import MachineryError, UserError
from dtbench.tasks.declared.definition import NAME
from dtbench.tasks.registry import TASKS

_RATE, _SECONDS, _LOUDNESS = 16_000, 0.4, 9_000
_LOW, _HIGH = 220, 1_760

TASK_FILE = """\
name = "{name}"
title = "{name}: what this benchmark asks, in one line"
licence = "cc-by-4.0"

[source]
files = ["questions.jsonl"]   # beside this file, or in --data-dir; JSON, CSV, TSV or Parquet

[fields]                      # what a question needs -> where a record has it
id = "id"
question = "question"
choices = "choices"
answer = "answer"
audio = "audio"

[groups]                      # the tables of the score: heading -> field
Sound = "sound"

[[score]]                     # the first that fits a question is its official score
rule = "text"
"""

TEST_FILE = '''\
"""The questions of {name} can be loaded and scored: right answers score full marks, empty ones none."""

from pathlib import Path

import dtbench

TASK = str(Path(__file__).with_name("{name}.toml"))


def accuracy(run: dtbench.Run) -> float | None:
    return run.scores()["official"]["accuracy"]


def test_right_answers_score_full_marks(tmp_path: Path) -> None:
    assert accuracy(dtbench.run("echo-gold", TASK, out=tmp_path / "run")) == 1


def test_empty_answers_score_nothing(tmp_path: Path) -> None:
    assert not accuracy(dtbench.run(lambda text: "", TASK, out=tmp_path / "run"))


def test_a_model_hears_every_clip(tmp_path: Path) -> None:
    heard = []

    def listener(text: str, wav: bytes) -> str:
        heard.append(len(wav))
        return "I cannot tell."

    run = dtbench.run(listener, TASK, out=tmp_path / "run")
    assert len(heard) == run.scores()["n"]
'''


class NewQuestion(NamedTuple):
    """A question of the first task, and the tones that its clip has."""

    id: str
    question: str
    choices: tuple[str, ...]
    answer: str
    sound: str
    tones: tuple[int, ...]


QUESTIONS = (
    NewQuestion("q1", "How many tones are there?", ("one", "two", "three"), "two", "tones", (_LOW, _LOW)),
    NewQuestion("q2", "Is the last tone higher than the first?", ("yes", "no"), "yes", "pitch", (_LOW, _HIGH)),
    NewQuestion("q3", "Is the last tone higher than the first?", ("yes", "no"), "no", "pitch", (_HIGH, _LOW)),
)


def write_new_task(name: str, folder: Path) -> list[Path]:
    """Write the files of a new task into a folder; a UserError where one of them is there already."""
    if not NAME.fullmatch(name):
        raise UserError(f'NAME {name}: letters, digits, ".", "_" and "-" are expected, such as bird-calls.')
    if name in TASKS:
        raise UserError(f"NAME {name}: this is the name of a benchmark of dtbench; give your task another.")
    contents = dict(_contents(name))
    there = next((folder / file for file in contents if (folder / file).exists()), None)
    if there is not None:
        raise UserError(f"{there}: this file is there already, and is not overwritten; name another folder with --to.")
    try:
        for file, content in contents.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as out:
                out.write(content)
    except FileExistsError as error:
        raise UserError(
            f"{error.filename}: this is there already, and is not overwritten; name another folder."
        ) from None
    except OSError as error:
        raise MachineryError(f"{folder}: the files of {name} cannot be written ({error.strerror}).") from None
    return [folder / file for file in contents]


def test_file_of(name: str) -> str:
    """Return what the test of a task is called: a name that pytest finds and Python can import."""
    return f"test_{re.sub(r'[^0-9A-Za-z]', '_', name)}.py"


def _contents(name: str) -> Iterator[tuple[str, bytes]]:
    yield f"{name}.toml", TASK_FILE.format(name=name).encode()
    lines = []
    for one in QUESTIONS:
        clip = f"clips/{one.id}.wav"
        fields = {"id": one.id, "question": one.question, "choices": one.choices, "answer": one.answer}
        lines.append(json.dumps({**fields, "audio": clip, "sound": one.sound}))
    yield "questions.jsonl", "".join(f"{line}\n" for line in lines).encode()
    for one in QUESTIONS:
        yield f"clips/{one.id}.wav", _clip(one.tones)
    yield test_file_of(name), TEST_FILE.format(name=name).encode()


def _clip(tones: tuple[int, ...]) -> bytes:
    """Return a WAV of tones with pauses between them."""
    import io

    samples: list[int] = []
    for tone in tones:
        count = int(_RATE * _SECONDS)
        samples += [round(_LOUDNESS * math.sin(2 * math.pi * tone * place / _RATE)) for place in range(count)]
        samples += [0] * (count // 2)
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return written.getvalue()
