"""Exports of made-up runs, and what `--check` says of files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from command import call

from dtbench.harness.core.schema import Sample

Fields = dict[str, Any]


def says(sample: Sample, repeat: int) -> str:
    """A chain and an answer: right, wrong, unreadable in turn; another repeat, another chain."""
    number = int(sample.question.rstrip("?")[-1])
    answer = (sample.answer or sample.choices[0], sample.choices[1], "Hard to say.")[number % 3]
    return f"<think>Take {repeat}: what is heard decides.</think>{answer}"


def exported(run: Path, kind: str, *options: str | Path) -> tuple[Path, Fields]:
    """The file, and what is said of it."""
    done = call("export", run, "--format", kind, "--json", *options)
    assert (done.code, done.err) == (0, ""), done
    about = json.loads(done.out)
    manifest = json.loads(Path(about["manifest"]).read_text())
    assert {name: about[name] for name in manifest} == manifest
    return Path(about["path"]), about


def lines(content: str | bytes) -> list[Fields]:
    """JSON lines as records."""
    return [json.loads(line) for line in content.splitlines()]


def checked(file: Path, kind: str, folder: Path | None, code: int = 0) -> Fields:
    """What the check says of a file, held against the data in the folder."""
    where = ("--data-dir", folder) if folder else ()
    done = call("export", "--check", file, "--format", kind, "--json", *where)
    assert (done.code, done.err) == (code, ""), done
    found: Fields = json.loads(done.out)
    assert found["ok"] == (code == 0)
    return found


def text(records: list[Fields]) -> str:
    """Records as JSON lines."""
    return "".join(f"{json.dumps(record)}\n" for record in records)
