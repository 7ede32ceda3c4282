"""A task file with its data: three questions about calls of birds, in whatever form a source may have."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from called_birds import calls

TASK = Path(__file__).with_name("own_task.toml")
BIRDS: Sequence[Mapping[str, Any]] = (
    {
        "id": "b1",
        "question": "Which bird calls first?",
        "options": ["Crow", "Jay", "Wren"],
        "answer": "Jay",
        "clip": "clips/b1.wav",
        "continent": "Europe",
        "where": {"habitat": "wood"},
    },
    {
        "id": "b2",
        "question": "Which bird calls twice?",
        "options": ["Crow", "Kite"],
        "answer": "Crow",
        "clip": "clips/b2.wav",
        "continent": "Asia",
        "where": {"habitat": "town"},
    },
    {
        "id": "b3",
        "question": "Is the second call nearer?",
        "options": ["yes", "no"],
        "answer": "no",
        "clip": "clips/b3.wav",
        "continent": "Europe",
        "where": {"habitat": "town"},
    },
)


def clip_files(folder: Path) -> None:
    """The clip of each question, in a folder of clips."""
    for item, data in zip(BIRDS, calls(len(BIRDS)), strict=True):
        path = folder / item["clip"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def write_lines(path: Path, items: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(item)}\n" for item in items))


def write_birds(folder: Path, text: str | None = None, items: Sequence[Mapping[str, Any]] = BIRDS) -> Path:
    """The task with its questions as JSON lines and its clips as files; the task file."""
    write_lines(folder / "questions.jsonl", items)
    clip_files(folder)
    file = folder / "birds.toml"
    file.write_text(TASK.read_text() if text is None else text)
    return file


def task_text(source: str = 'files = ["questions.jsonl"]', **changes: str) -> str:
    """The text of the task file with another [source], or with other lines: key -> what stands right of it."""
    lines = TASK.read_text().replace('files = ["questions.jsonl"]', source).splitlines()
    for key, value in changes.items():
        (place,) = [number for number, line in enumerate(lines) if line.startswith(f"{key} =")]
        lines[place] = f"{key} = {value}"
    return "\n".join(lines) + "\n"


def write_table(path: Path, delimiter: str) -> None:
    """The questions as a table of text: options in columns, the habitat in one of its own."""
    with path.open("w", newline="") as file:
        table = csv.writer(file, delimiter=delimiter)
        table.writerow(["id", "question", "option_1", "option_2", "option_3", "answer", "clip", "continent", "habitat"])
        for item in BIRDS:
            options = [*item["options"], ""][:3]
            table.writerow(
                [
                    *(item["id"], item["question"], *options, item["answer"], item["clip"], item["continent"]),
                    item["where"]["habitat"],
                ]
            )


def write_parquet(path: Path, *, several: bool = False) -> None:
    """The questions as Parquet with their audio inside, as a struct a row or a list of them."""
    import pyarrow
    import pyarrow.parquet

    rows = []
    for item, data in zip(BIRDS, calls(len(BIRDS)), strict=True):
        clip = {"bytes": data, "path": f"{item['id']}.wav"}
        rows.append({**item, "clip": [clip, clip] if several else clip})
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=2)


def write_archive(path: Path) -> None:
    """The clips in an archive, as tar.gz."""
    with tarfile.open(path, "w:gz") as archive:
        for item, data in zip(BIRDS, calls(len(BIRDS)), strict=True):
            member = tarfile.TarInfo(item["clip"])
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
