"""inspect_ai over HTTP: `ask_http.py OUT URL words|clips DATA IN_FLIGHT`, with its own solver and scorer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample, json_dataset
from inspect_ai.model import ChatMessageUser, ContentAudio, ContentText, get_model
from inspect_ai.scorer import choice
from inspect_ai.solver import multiple_choice

QUIET = {"display": "none", "log_realtime": False, "log_model_api": False, "log_images": False}


def main(out: str, url: str, form: str, data: str, in_flight: str) -> None:
    """Ask all, a log in `out`."""

    def sample(record: dict[str, Any]) -> Any:
        said = record["question"]
        if form == "clips":
            said = [
                ChatMessageUser(content=[ContentAudio(audio=record["audio"], format="wav"), ContentText(text=said)])
            ]
        return Sample(id=record["id"], input=said, choices=record["choices"], target=record["letter"])

    questions = json_dataset(str(Path(data) / "questions.jsonl"), sample)
    task = Task(dataset=questions, solver=multiple_choice(), scorer=choice())
    model = get_model("openai-api/here/tiny", base_url=url, api_key="none")
    limits = {"max_connections": int(in_flight), "max_samples": int(in_flight)}
    (log,) = eval(task, model=model, log_dir=out, **limits, **QUIET)
    if log.status != "success":
        sys.exit(f"inspect_ai: {log.status}: {log.error.message if log.error else ''}")


if __name__ == "__main__":
    main(*sys.argv[1:])
