"""Made-up records of a run, and a child process that appends them."""

from __future__ import annotations

import copy
import os
import sys
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import UserError
from dtbench.harness.store.run_folder import RunFolder

TASK = "toy"
ABOUT = {
    "data": {"version": "v1", "sha256": "0123456789abcdef", "source": "toy.jsonl"},
    "prompt": "{question}",
    "prompt_hash": "a1b2c3d4e5f6",
    "questions": 10,
    "ids_sha256": "b2c3d4e5f6a1",
    "samples": 1,
    "answer": "direct",
    "audio": "clip",
    "permute": 0,
    "seed": 0,
    "shared_clips": {},
}
"""What run.json says of the task."""
SETTINGS = {
    "kind": "run",
    "model": {"name": "scripted"},
    "endpoint": {},
    "long_clips": "cut",
    "tasks": {TASK: ABOUT},
    "seed": 0,
}


def record(number: int, *, sample: int = 0, characters: int = 1000) -> dict[str, Any]:
    """An answered question; 1,000 characters of answer make a line of 1.5 kB."""
    return {
        "id": f"item-{number}",
        "sample": sample,
        "prompt_hash": "a1b2c3d4e5f6",
        "audio": {"seconds": 10.0, "rate": 16000, "channels": 2, "rule": "whole"},
        "response": {
            "text": f"<think>{'I hear a dog. ' * (characters // 14)}</think> {number}",
            "finish_reason": "stop",
            "usage": {"prompt_tokens": 400, "completion_tokens": 250},
            "seconds": 0.25,
            "attempts": 1,
        },
        "extraction": {"answer": "a dog", "choice": "Dog", "how": "named at the end", "thinking_chars": characters},
        "score": {"official": {"correct": True, "counted": True, "why": ""}, "correct": True, "raw": None},
        "groups": {"modality": "sound"},
    }


def failure(number: int, *, sample: int = 0, message: str = "no answer in 60 s") -> dict[str, Any]:
    """A question that got no answer."""
    head = {"id": f"item-{number}", "sample": sample, "prompt_hash": "a1b2c3d4e5f6", "audio": None}
    return {**head, "error": {"kind": "model", "message": message, "attempts": 5}, "groups": {"modality": "sound"}}


def changed(**parts: Any) -> dict[str, Any]:
    """The settings with some others."""
    return {**copy.deepcopy(SETTINGS), **parts}


def files(folder: Path) -> dict[str, bytes]:
    """What a folder holds, hidden files too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refusal(folder: Path, settings: dict[str, Any]) -> str:
    """The line that refuses a start, which must leave the folder as it was."""
    before = files(folder)
    try:
        RunFolder.start(folder, settings)
    except UserError as refused:
        line = str(refused)
    else:
        raise AssertionError("the start was not refused")
    assert files(folder) == before
    assert "\n" not in line
    return line


def append_what_is_missing(folder: Path, numbers: int) -> None:
    """Resume a run and append every record that is not there, saying each number on stdout once it is stored."""
    with RunFolder.start(folder, SETTINGS) as run:
        finished = run.finished(TASK)
        for number in range(numbers):
            if (f"item-{number}", 0) not in finished:
                # A line of many pages can be torn by a signal; most are as short as answers are.
                run.append(TASK, record(number, characters=200_000 if number % 50 == 0 else 1000))
                os.write(1, b"%d\n" % number)
        run.finish("done")


if __name__ == "__main__":
    append_what_is_missing(Path(sys.argv[1]), int(sys.argv[2]))
