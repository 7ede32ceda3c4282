"""lm-eval over HTTP: `ask_http.py OUT URL words|clips DATA IN_FLIGHT`, with its own chat client and no task index."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lm_eval import simple_evaluate
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager


def main(out: str, url: str, form: str, data: str, in_flight: str) -> None:
    """Ask all, the logs in `out`."""
    asked: dict[str, Any] = {
        "task": "made_up",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": str(Path(data) / "questions.jsonl")},
        "test_split": "train",
        "output_type": "generate_until",
        "doc_to_text": "prompt",
        "doc_to_target": "letter",
        "generation_kwargs": {"until": [], "max_gen_toks": 512},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }
    if form == "clips":
        asked["doc_to_audio"] = lambda doc: [doc["audio"]]
    tracker = EvaluationTracker(output_path=out)
    results = simple_evaluate(
        "local-chat-completions",
        model_args={"model": "tiny", "base_url": f"{url}/chat/completions", "num_concurrent": int(in_flight)},
        tasks=[asked],
        apply_chat_template=True,
        task_manager=TaskManager(include_defaults=False),
        evaluation_tracker=tracker,
    )
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    tracker.save_results_samples(task_name="made_up", samples=samples["made_up"])


if __name__ == "__main__":
    main(*sys.argv[1:])
