"""inspect_ai on the made-up questions: `ask.py OUT`, with its own solver and scorer of multiple choice."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample, json_dataset
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import choice
from inspect_ai.solver import multiple_choice

QUIET = {"display": "none", "log_realtime": False, "log_model_api": False}  # what it can be spared; a third of its time
ANSWER = Path("answer.txt").read_text(encoding="utf-8")


def main(out: str) -> None:
    """Ask all, a log in `out`."""
    task = Task(dataset=json_dataset("questions.jsonl", _sample), solver=multiple_choice(), scorer=choice())
    (log,) = eval(task, model=get_model("mockllm/at-once", custom_outputs=_at_once), log_dir=out, **QUIET)
    if log.status != "success":
        sys.exit(f"inspect_ai: {log.status}")


def _sample(record: dict[str, Any]) -> Any:
    return Sample(id=record["id"], input=record["question"], choices=record["choices"], target=record["letter"])


def _at_once(*_asked: object) -> Any:
    output = ModelOutput.from_content(model="at-once", content=ANSWER)
    output.usage = ModelUsage(input_tokens=100, output_tokens=300, total_tokens=400)  # else it counts them itself
    return output


if __name__ == "__main__":
    main(sys.argv[1])
